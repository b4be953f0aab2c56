//! Places of structures in the patient.

use glam::{DMat3, DVec3};

/// Where a structure lies in the patient: its own axes are left, posterior, superior.
#[derive(Debug, Clone)]
pub(super) struct Frame {
    center: DVec3,
    axes: DMat3,
}

impl Frame {
    /// Frame at `center` whose posterior axis dips below the horizontal by `sagittal_tilt` and whose left axis rises by
    /// `coronal_tilt`, radians.
    pub(super) fn new(center: DVec3, sagittal_tilt: f64, coronal_tilt: f64) -> Self {
        let (sin, cos) = sagittal_tilt.sin_cos();
        let (posterior, up) = (DVec3::new(0.0, cos, -sin), DVec3::new(0.0, sin, cos));
        let left = DVec3::X * coronal_tilt.cos() + up * coronal_tilt.sin();
        Self { center, axes: DMat3::from_cols(left, posterior, left.cross(posterior)) }
    }

    /// Own coordinates (left, posterior, superior) of a patient position.
    pub(super) fn local(&self, lps: DVec3) -> DVec3 {
        self.axes.transpose() * (lps - self.center)
    }

    /// Patient position of own coordinates.
    pub(super) fn lps(&self, local: DVec3) -> DVec3 {
        self.center + self.axes * local
    }

    /// Origin of the frame.
    pub(super) fn center(&self) -> DVec3 {
        self.center
    }

    /// Patient positions of the corners of a box in own coordinates.
    pub(super) fn box_corners(&self, low: DVec3, high: DVec3) -> [DVec3; 8] {
        std::array::from_fn(|corner| {
            let pick = |bit: usize, low: f64, high: f64| if corner >> bit & 1 == 0 { low } else { high };
            self.lps(DVec3::new(pick(0, low.x, high.x), pick(1, low.y, high.y), pick(2, low.z, high.z)))
        })
    }
}
