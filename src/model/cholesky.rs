//! The triangular root of a symmetric positive definite matrix (Cholesky), for what is learned without steps.

/// The lower triangle `L` of `L·Lᵀ = matrix`.
pub(crate) struct Cholesky {
    rows: Vec<Vec<f64>>,
}

impl Cholesky {
    /// Of a symmetric positive definite matrix, row by row; of another, numbers that mean nothing.
    pub(crate) fn of(mut matrix: Vec<Vec<f64>>) -> Self {
        for row in 0..matrix.len() {
            for column in 0..=row {
                let known: f64 = (0..column).map(|at| matrix[row][at] * matrix[column][at]).sum();
                let rest = matrix[row][column] - known;
                matrix[row][column] = if row == column { rest.sqrt() } else { rest / matrix[column][column] };
            }
        }
        Self { rows: matrix }
    }

    /// The `x` of `matrix·x = right`.
    pub(crate) fn solve(&self, right: &[f64]) -> Vec<f64> {
        let mut solution = self.solve_root(right);
        for row in (0..solution.len()).rev() {
            let known: f64 = (row + 1..solution.len()).map(|at| self.rows[at][row] * solution[at]).sum();
            solution[row] = (solution[row] - known) / self.rows[row][row];
        }
        solution
    }

    /// The inverse of `L`, row by row.
    pub(crate) fn inverse_of_root(&self) -> Vec<Vec<f64>> {
        let size = self.rows.len();
        let unit = |at: usize| (0..size).map(|row| f64::from(u8::from(row == at))).collect::<Vec<_>>();
        let columns: Vec<Vec<f64>> = (0..size).map(|at| self.solve_root(&unit(at))).collect();
        (0..size).map(|row| columns.iter().map(|column| column[row]).collect()).collect()
    }

    /// The `y` of `L·y = right`.
    fn solve_root(&self, right: &[f64]) -> Vec<f64> {
        let mut solution = right.to_vec();
        for (row, factors) in self.rows.iter().enumerate() {
            let known: f64 = (0..row).map(|at| factors[at] * solution[at]).sum();
            solution[row] = (solution[row] - known) / factors[row];
        }
        solution
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATRIX: [[f64; 3]; 3] = [[4.0, 2.0, 0.6], [2.0, 5.0, 1.0], [0.6, 1.0, 3.0]];

    #[test]
    fn equations_are_solved() {
        let wanted = [1.0, -2.0, 0.5];
        let right = MATRIX.map(|row| row.iter().zip(wanted).map(|(one, other)| one * other).sum());
        let solution = Cholesky::of(MATRIX.map(Vec::from).to_vec()).solve(&right);
        assert!(solution.iter().zip(wanted).all(|(got, wanted)| (got - wanted).abs() < 1e-12), "{solution:?}");
    }

    #[test]
    fn the_root_is_inverted() {
        let inverse = Cholesky::of(MATRIX.map(Vec::from).to_vec()).inverse_of_root();
        // inverse · matrix · inverseᵀ is the unit matrix.
        for row in 0..3 {
            for column in 0..3 {
                let value: f64 = (0..3)
                    .flat_map(|i| (0..3).map(move |j| (i, j)))
                    .map(|(i, j)| inverse[row][i] * MATRIX[i][j] * inverse[column][j])
                    .sum();
                assert!((value - f64::from(u8::from(row == column))).abs() < 1e-12, "{value}");
            }
        }
    }
}
