//! Exchange of rows and columns.

use glam::{Mat4, Vec4};

/// Rows and columns that are turned in registers.
const SQUARE: usize = 4;

/// A matrix to turn: element (row, column) lies at `row · step + column`.
#[derive(Clone, Copy)]
pub(super) struct Turned<'a> {
    pub(super) source: &'a [f32],
    pub(super) step: usize,
    pub(super) rows: usize,
    pub(super) columns: usize,
}

impl Turned<'_> {
    /// Writes element (row, column) to `column · step + row` of `target`.
    pub(super) fn write(self, target: &mut [f32], step: usize) {
        let (square_rows, square_columns) = (self.rows / SQUARE * SQUARE, self.columns / SQUARE * SQUARE);
        for row in (0..square_rows).step_by(SQUARE) {
            for column in (0..square_columns).step_by(SQUARE) {
                let line = |index: usize| Vec4::from_slice(&self.source[(row + index) * self.step + column..]);
                let turned = Mat4::from_cols(line(0), line(1), line(2), line(3)).transpose();
                for (index, line) in [turned.x_axis, turned.y_axis, turned.z_axis, turned.w_axis].iter().enumerate() {
                    line.write_to_slice(&mut target[(column + index) * step + row..]);
                }
            }
        }
        for row in 0..self.rows {
            let first = if row < square_rows { square_columns } else { 0 };
            for column in first..self.columns {
                target[column * step + row] = self.source[row * self.step + column];
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Turned;

    #[test]
    fn every_size_is_turned_and_nothing_else_is_touched() {
        for (rows, columns) in [(1, 1), (3, 9), (4, 4), (8, 5), (14, 16), (9, 3)] {
            let source: Vec<f32> = (0..rows * (columns + 2)).map(|index| index as f32).collect();
            let mut target = vec![-1.0; columns * (rows + 3)];
            Turned { source: &source, step: columns + 2, rows, columns }.write(&mut target, rows + 3);
            for (index, value) in target.iter().enumerate() {
                let (column, row) = (index / (rows + 3), index % (rows + 3));
                let expected = if row < rows { source[row * (columns + 2) + column] } else { -1.0 };
                assert_eq!(*value, expected, "{rows} x {columns} at {row}, {column}");
            }
        }
    }
}
