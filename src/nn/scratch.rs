//! Working memory that is kept between calls, and output that several threads fill at once.

use std::cell::RefCell;
use std::marker::PhantomData;

/// Larger buffers are given back to the system, so that one large job does not hold memory for ever.
const LARGEST_KEPT: usize = 1 << 24;

thread_local! {
    /// Free buffers of this thread.
    static BUFFERS: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// Lends `length` floats of unspecified content. May be nested: a thread that helps with other work while it waits takes
/// another buffer.
pub(super) fn with_scratch<T>(length: usize, work: impl FnOnce(&mut [f32]) -> T) -> T {
    let mut buffer = BUFFERS.with_borrow_mut(Vec::pop).unwrap_or_default();
    if buffer.len() < length {
        buffer.resize(length, 0.0);
    }
    let result = work(&mut buffer[..length]);
    if buffer.len() <= LARGEST_KEPT {
        BUFFERS.with_borrow_mut(|free| free.push(buffer));
    }
    result
}

/// Output that several threads fill at once, each its own elements: the one place of `nn` that needs `unsafe`.
#[derive(Clone, Copy)]
pub(super) struct SharedOutput<'a> {
    pointer: *mut f32,
    length: usize,
    lifetime: PhantomData<&'a mut [f32]>,
}

#[allow(unsafe_code, reason = "lines of one output interleave between tasks, so slices cannot hand them to threads")]
// SAFETY: the pointer is only written through `SharedOutput::line`, whose callers promise disjoint lines.
unsafe impl Send for SharedOutput<'_> {}
#[allow(unsafe_code, reason = "see above")]
// SAFETY: see above.
unsafe impl Sync for SharedOutput<'_> {}

impl<'a> SharedOutput<'a> {
    pub(super) fn new(data: &'a mut [f32]) -> Self {
        Self { pointer: data.as_mut_ptr(), length: data.len(), lifetime: PhantomData }
    }

    /// `length` elements from `start`.
    ///
    /// # Panics
    /// If they do not lie inside the output.
    ///
    /// # Safety
    /// No two lines that live at the same time may share an element.
    #[allow(unsafe_code, reason = "only the caller knows that lines are disjoint")]
    pub(super) unsafe fn line(self, start: usize, length: usize) -> &'a mut [f32] {
        assert!(start.checked_add(length).is_some_and(|end| end <= self.length), "a line inside the output");
        // SAFETY: inside the allocation by the assertion, and only this line holds it by the caller's promise.
        unsafe { std::slice::from_raw_parts_mut(self.pointer.add(start), length) }
    }
}
