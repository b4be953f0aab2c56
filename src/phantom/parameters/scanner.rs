//! Scanners: protocols, coil and faults.

use super::Span;

/// Protocols, coil and the scanner's faults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ScannerParameters {
    /// Share of studies whose T2 series is a SPACE; development scans: 20 of 154, all others TSE.
    pub space: f64,
    /// Slice thickness of TSE series, mm; Genodisc: median 4, development scans: 3-4. Drawn thrice, the middle one taken.
    pub thickness_mm: Span,
    /// Distance of slices against their thickness; development scans: 1.1-1.2.
    pub gap: Span,
    /// Slices of a TSE series.
    pub slices: [usize; 2],
    /// Pixel size of TSE series, mm, drawn evenly in its logarithm thrice, the middle one taken; development scans:
    /// 0.36-1.0, median 0.62; Genodisc reaches to 0.3 and 1.2.
    pub pixel_mm: Span,
    /// Share of TSE series whose pixels are not square; half of the mid-sagittal development images.
    pub stretched: f64,
    /// Height of such pixels against their width, drawn evenly in its logarithm, at the same area; development images:
    /// 0.6-2.0, mostly 0.7-1.4.
    pub stretch: Span,
    /// Slice distance of SPACE series as stored, mm; development scans: 0.9.
    pub space_spacing_mm: Span,
    /// Slices of a SPACE series; around the middle as in the development scans.
    pub space_slices: [usize; 2],
    /// Pixel size of SPACE series; development scans: 0.47.
    pub space_pixel_mm: f64,
    /// Height of the field of view, mm, at least what shows T12 to S1.
    pub field_mm: Span,
    /// Width of rectangular fields against their height: a phase field of view of 105-155 % where phase runs along the
    /// patient. Development scans: 100-178 %.
    pub rectangular: Span,
    /// Share of series whose phase runs from front to back instead; development scans: 1 of 155, more elsewhere.
    pub phase_across: f64,
    /// Share of series with too little phase oversampling: what lies beyond the field folds over its other end.
    pub wrapped: f64,
    /// How much of the patient is left out at either end by what oversampling there is, mm.
    pub oversampled_mm: Span,
    /// How much more at either end folds in, mm.
    pub folded_mm: Span,
    /// Signal of what folds in: far from the isocenter it is weaker.
    pub folded: Span,
    /// Acquired against stored matrix along frequency; the rest is filled with zeros (which rings).
    pub frequency_resolution: Span,
    /// The same along phase; development scans: 70-96 % of the frequency's.
    pub phase_sampling: Span,
    /// Share of scans whose k-space is filtered against ringing.
    pub filtered: f64,
    /// Noise of either channel against the signal of fluid in TSE series.
    pub noise: Span,
    /// The same of SPACE series; development scans: twice as grainy against the marrow.
    pub space_noise: Span,
    /// Chance that the scanner evens out the coil's sensitivity.
    pub normalized: f64,
    /// Distance over which the surface coil's sensitivity falls by e, mm, where it is not evened out.
    pub coil_mm: Span,
    /// Strength of slow shading (bias field).
    pub bias: Span,
    /// Share of TSE series with a saturation band in front of the spine; development scans: four of ten.
    pub saturation: f64,
    /// The same of SPACE series; development scans: nearly all.
    pub space_saturation: f64,
    /// Distance of the band's edge from the foremost corner, mm.
    pub saturation_mm: Span,
    /// The same in SPACE series, whose bands lie closer.
    pub space_saturation_mm: Span,
    /// Signal left within the band.
    pub saturated: Span,
    /// Effective echo time of T2 TSE series against the one that signals are given for; development scans: 80-120 ms.
    pub echo: Span,
    /// The same of SPACE series.
    pub space_echo: Span,
    /// Signal of soft tissue in SPACE series against TSE.
    pub space_tissue: Span,
    /// The same of fat, which the many refocusing pulses of low flip angle brighten less.
    pub space_fat: Span,
    /// Shift of fat along frequency in pixels: 3.4 ppm at 1.5-3 T and 160-390 Hz a pixel are 0.6-1.8 pixels.
    pub chemical_shift: Span,
    /// Share of scans with visible ghosts of what pulses and breathes.
    pub ghosted: f64,
    /// Strength of the first ghost.
    pub ghost: Span,
    /// Share of scans during which the patient moved.
    pub moved: f64,
    /// How far, mm.
    pub motion_mm: Span,
    /// Shares of series that are scaled to 8, 12 and 16 bits.
    pub bits: [f64; 3],
    /// Share of the voxels that 8 bits cut off at the top: they come from a display window; development scans: all have 8
    /// bits, fluid cut off in half of them.
    pub clipped: Span,
    /// Width of the stored display window against the value of the brightest thousandth.
    pub window_width: Span,
    /// Center of that window against its width; development scans: 0.3-0.58, median 0.47.
    pub window_center: Span,
}

impl Default for ScannerParameters {
    fn default() -> Self {
        Self {
            space: 0.13,
            thickness_mm: Span::new(2.6, 6.0),
            gap: Span::new(1.0, 1.2),
            slices: [11, 17],
            pixel_mm: Span::new(0.3, 1.2),
            stretched: 0.3,
            stretch: Span::new(0.7, 1.4),
            space_spacing_mm: Span::new(0.9, 1.8),
            space_slices: [20, 30],
            space_pixel_mm: 0.469,
            field_mm: Span::new(255.0, 310.0),
            rectangular: Span::new(0.65, 0.95),
            phase_across: 0.06,
            wrapped: 0.12,
            oversampled_mm: Span::new(0.0, 30.0),
            folded_mm: Span::new(15.0, 60.0),
            folded: Span::new(0.25, 0.9),
            frequency_resolution: Span::new(0.7, 1.0),
            phase_sampling: Span::new(0.7, 0.96),
            filtered: 0.7,
            noise: Span::new(0.005, 0.02),
            space_noise: Span::new(0.015, 0.042),
            normalized: 0.55,
            coil_mm: Span::new(55.0, 150.0),
            bias: Span::new(0.0, 0.25),
            saturation: 0.4,
            space_saturation: 0.9,
            saturation_mm: Span::new(2.0, 35.0),
            space_saturation_mm: Span::new(-4.0, 10.0),
            saturated: Span::new(0.04, 0.2),
            echo: Span::new(0.85, 1.2),
            space_echo: Span::new(1.1, 1.7),
            space_tissue: Span::new(0.38, 0.62),
            space_fat: Span::new(0.5, 0.75),
            chemical_shift: Span::new(0.4, 1.8),
            ghosted: 0.35,
            ghost: Span::new(0.01, 0.05),
            moved: 0.15,
            motion_mm: Span::new(0.4, 1.6),
            bits: [0.3, 0.58, 0.12],
            clipped: Span::new(0.0, 0.045),
            window_width: Span::new(0.55, 1.1),
            window_center: Span::new(0.38, 0.58),
        }
    }
}
