//! Matrix products into strided, shared output: the one place of this crate's `nn` that needs `unsafe`.

use std::marker::PhantomData;

use gemm::Parallelism;

/// A matrix inside a slice: element (row, column) lies at `row · row_stride + column · column_stride`.
#[derive(Clone, Copy)]
pub(super) struct Matrix<'a> {
    pub(super) data: &'a [f32],
    pub(super) row_stride: usize,
    pub(super) column_stride: usize,
}

/// Size of a product: `rows × inner` times `inner × columns`.
#[derive(Clone, Copy)]
pub(super) struct ProductSize {
    pub(super) rows: usize,
    pub(super) columns: usize,
    pub(super) inner: usize,
}

/// Output that several threads fill at once, each its own elements.
#[derive(Clone, Copy)]
pub(super) struct SharedOutput<'a> {
    pointer: *mut f32,
    length: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

#[allow(unsafe_code, reason = "tiles of one output interleave in memory, so slices cannot hand them to threads")]
// SAFETY: the pointer is only written through `SharedOutput::tile`, whose callers promise disjoint tiles.
unsafe impl Send for SharedOutput<'_> {}
#[allow(unsafe_code, reason = "see above")]
// SAFETY: see above.
unsafe impl Sync for SharedOutput<'_> {}

impl<'a> SharedOutput<'a> {
    pub(super) fn new(data: &'a mut [f32]) -> Self {
        Self { pointer: data.as_mut_ptr(), length: data.len(), lifetime: PhantomData }
    }

    /// `columns` runs of `rows` elements, `column_stride` apart, from `offset`.
    ///
    /// # Safety
    /// No two tiles that live at the same time may share an element.
    #[allow(unsafe_code, reason = "only the caller knows that tiles are disjoint")]
    pub(super) unsafe fn tile(
        self,
        offset: usize,
        rows: usize,
        columns: usize,
        column_stride: usize,
    ) -> OutputTile<'a> {
        assert!(columns > 0 && rows > 0 && rows <= column_stride, "a tile has elements and columns do not overlap");
        assert!(offset + (columns - 1) * column_stride + rows <= self.length, "tile inside the output");
        // SAFETY: the offset lies inside the allocation by the assertion above.
        let pointer = unsafe { self.pointer.add(offset) };
        OutputTile { pointer, rows, columns, column_stride, lifetime: PhantomData }
    }
}

/// Column-major part of an output that one thread owns.
pub(super) struct OutputTile<'a> {
    pointer: *mut f32,
    rows: usize,
    columns: usize,
    column_stride: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

impl<'a> OutputTile<'a> {
    /// A whole slice as column-major matrix of `rows` rows.
    pub(super) fn of_slice(data: &'a mut [f32], rows: usize) -> Self {
        let columns = data.len() / rows;
        Self { pointer: data.as_mut_ptr(), rows, columns, column_stride: rows, lifetime: PhantomData }
    }

    /// Sets each column to one value.
    pub(super) fn fill_columns(&mut self, value: impl Fn(usize) -> f32) {
        for column in 0..self.columns {
            self.column_mut(column).fill(value(column));
        }
    }

    #[allow(unsafe_code, reason = "columns of a tile are disjoint parts of the shared output")]
    fn column_mut(&mut self, column: usize) -> &mut [f32] {
        assert!(column < self.columns);
        // SAFETY: inside the output by the check in `tile`, and only this tile holds it.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.add(column * self.column_stride), self.rows) }
    }

    /// Adds `lhs · rhs`. The order of summation depends on the sizes only, not on the number of threads.
    #[allow(unsafe_code, reason = "gemm takes raw pointers; bounds are checked first")]
    pub(super) fn add_product(&mut self, size: ProductSize, lhs: Matrix, rhs: Matrix, parallelism: Parallelism) {
        let ProductSize { rows, columns, inner } = size;
        assert!(rows == self.rows && columns == self.columns, "the product has the size of the tile");
        if inner == 0 {
            return;
        }
        let last = |matrix: &Matrix, rows: usize, columns: usize| {
            (rows - 1) * matrix.row_stride + (columns - 1) * matrix.column_stride
        };
        assert!(last(&lhs, rows, inner) < lhs.data.len() && last(&rhs, inner, columns) < rhs.data.len());
        // SAFETY: operands and output were checked to hold every element that is touched, and the output is ours.
        unsafe {
            gemm::gemm(
                rows,
                columns,
                inner,
                self.pointer,
                self.column_stride as isize,
                1,
                true,
                lhs.data.as_ptr(),
                lhs.column_stride as isize,
                lhs.row_stride as isize,
                rhs.data.as_ptr(),
                rhs.column_stride as isize,
                rhs.row_stride as isize,
                1.0_f32,
                1.0_f32,
                false,
                false,
                false,
                parallelism,
            );
        }
    }
}
