//! Everything that decides how phantoms vary, in one place, each range with its source.
//!
//! Sources named below:
//! * *development scans*: 134 mid-sagittal T2 images and 20 T2 SPACE stacks of SPIDER (van der Graaf et al., Sci Data
//!   11, 264, 2024), measured inside their corner landmarks; headers from its table of series, grades from its table of
//!   970 discs of 140 patients.
//! * *Panjabi*: Panjabi et al., Spine 17 (1992) 299, lumbar morphometry; it stands behind the table in `anatomy`.
//! * *Konin*: Konin and Walz, AJNR 31 (2010) 1778, lumbosacral transitional vertebrae.
//! * *de Bazelaire*: de Bazelaire et al., Radiology 230 (2004) 652, relaxation times in the abdomen at 3 T.
//! * *Genodisc*: Jamaludin et al., Med Image Anal 41 (2017) 63, the scans of the method's paper.
//!
//! Where no source is named, the value is a judgement by eye against the development scans.

use rand::Rng;

use super::texture::around;

/// Drawn evenly from `low` to `high`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Span {
    /// Least value.
    pub low: f64,
    /// Greatest value.
    pub high: f64,
}

impl Span {
    const fn new(low: f64, high: f64) -> Self {
        Self { low, high }
    }

    pub(super) fn draw(self, rng: &mut impl Rng) -> f64 {
        self.low + (self.high - self.low) * rng.random::<f64>()
    }
}

/// Drawn bell-shaped, never further than three deviations from the mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bell {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub deviation: f64,
}

impl Bell {
    const fn new(mean: f64, deviation: f64) -> Self {
        Self { mean, deviation }
    }

    pub(super) fn draw(self, rng: &mut impl Rng) -> f64 {
        around(rng, self.mean, self.deviation)
    }
}

/// How common findings are.
///
/// Co-occurrence follows the development scans: the chance of each finding by Pfirrmann grade, patients who have it at
/// one level being likelier to have it at the next (see `pathology`). These numbers scale it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PathologyRates {
    /// Mean degeneration of the discs, added to their Pfirrmann grade before rounding (0: as in the development scans).
    pub degeneration: f64,
    /// Endplate defects against the development scans (there: two of five endplates).
    pub endplate_defect: f64,
    /// Marrow changes against the development scans (there: at one of three discs).
    pub marrow_change: f64,
    /// Slips against the development scans (there: one of 33 discs); above 1 by default, so that there are enough to
    /// learn from.
    pub spondylolisthesis: f64,
    /// Share of discs with central canal stenosis, which the development scans do not grade.
    pub central_canal_stenosis: f64,
    /// Share of patients whose first sacral segment is free, with a disc of its own below: six lumbar-type bodies.
    /// Konin: transitional anatomy in 4-30 % of people, by definition; the full forms are the rarer ones.
    pub lumbarized: f64,
    /// Share of patients whose L5 has grown together with the sacrum: four lumbar-type bodies. Konin, as above.
    pub sacralized: f64,
}

impl Default for PathologyRates {
    fn default() -> Self {
        Self {
            degeneration: 0.0,
            endplate_defect: 1.0,
            marrow_change: 1.0,
            spondylolisthesis: 1.4,
            central_canal_stenosis: 0.1,
            lumbarized: 0.03,
            sacralized: 0.04,
        }
    }
}

/// How often a patient has something that is none of the eight gradings and may be taken for one. Rates are orders of
/// magnitude from everyday reading, raised where the network would otherwise hardly see the thing.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DistractorRates {
    /// Hemangioma, for each body: round, bright.
    pub hemangioma: f64,
    /// Old compression fracture of one body of the thoracolumbar junction: wedged, of usual signal.
    pub fracture: f64,
    /// Tarlov cyst: fluid in the sacral canal.
    pub tarlov_cyst: f64,
    /// Fluid in facet joints, for each level.
    pub facet_fluid: f64,
    /// Laminectomy: one or two levels without spinous process and lamina, scar instead.
    pub laminectomy: f64,
}

impl Default for DistractorRates {
    fn default() -> Self {
        Self { hemangioma: 0.06, fracture: 0.07, tarlov_cyst: 0.05, facet_fluid: 0.15, laminectomy: 0.04 }
    }
}

/// Build of patients: sizes against the mean of the table in `anatomy`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BuildParameters {
    /// Size; development scans: body depth varies by 8 %.
    pub scale: Bell,
    /// Height of bodies against depth.
    pub slenderness: Bell,
    /// Height of discs.
    pub disc_height: Bell,
    /// Rotation of the whole spine in the scanner, degrees.
    pub pitch: Bell,
    /// Share of patients with a visible lateral curve.
    pub scoliosis: f64,
    /// Its amplitude, mm.
    pub scoliosis_mm: Span,
    /// Depth of the dural sac against the table in `profile`.
    pub sac: Bell,
    /// Tip of the cord above the middle of L1, mm: between T12 and L2 in most people.
    pub conus_mm: Bell,
    /// Fat under the skin of the belly, mm.
    pub belly_fat_mm: Span,
    /// From L3 to the belly's wall, mm.
    pub abdomen_mm: Span,
}

impl Default for BuildParameters {
    fn default() -> Self {
        Self {
            scale: Bell::new(1.02, 0.08),
            slenderness: Bell::new(1.0, 0.06),
            disc_height: Bell::new(0.93, 0.08),
            pitch: Bell::new(0.0, 2.5),
            scoliosis: 0.25,
            scoliosis_mm: Span::new(3.0, 9.0),
            sac: Bell::new(1.0, 0.09),
            conus_mm: Bell::new(-8.0, 14.0),
            belly_fat_mm: Span::new(8.0, 45.0),
            abdomen_mm: Span::new(75.0, 140.0),
        }
    }
}

/// Signals on T2 TSE, cerebrospinal fluid being 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TissueParameters {
    /// Marrow of the bodies; development scans: fluid is 1.5-3.3 times as bright, with the darker half of it clipped.
    pub marrow: Bell,
    /// Share of the marrow's signal that is fat: about half in the lumbar spine of adults, more in old age.
    pub marrow_fat: Span,
    /// Marrow of arches and spinous processes against that of the bodies, which is less fatty.
    pub arch_marrow: Span,
    /// Subcutaneous and epidural fat; development scans: 1.3-2.2 times the marrow after coil shading.
    pub fat: Bell,
    /// Muscle; de Bazelaire: its T2 of some 30 ms against 60-70 ms of fat.
    pub muscle: Bell,
    /// Spinal cord.
    pub cord: Bell,
    /// Cortical bone and ligament: no signal to speak of.
    pub cortex: f64,
    /// Share of fat in the back muscles, at its lowest end; it grows with age and downward.
    pub infiltration: Span,
    /// How dense the nerve roots lie in the sac.
    pub roots: Span,
    /// How much darker moving fluid is where the pulse drives it (flow voids), in TSE series.
    pub flow_void: Span,
    /// Spread of the discs' signal from patient to patient, as a share.
    pub disc_patient: f64,
    /// Spread from disc to disc.
    pub disc: f64,
}

impl Default for TissueParameters {
    fn default() -> Self {
        Self {
            marrow: Bell::new(0.48, 0.07),
            marrow_fat: Span::new(0.5, 0.8),
            arch_marrow: Span::new(0.8, 1.2),
            fat: Bell::new(0.63, 0.07),
            muscle: Bell::new(0.15, 0.03),
            cord: Bell::new(0.42, 0.04),
            cortex: 0.02,
            infiltration: Span::new(0.05, 0.6),
            roots: Span::new(0.2, 0.6),
            flow_void: Span::new(0.0, 0.5),
            disc_patient: 0.16,
            disc: 0.13,
        }
    }
}

/// Protocols, coil and the scanner's faults.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScannerParameters {
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
    /// Slice distance of SPACE series as stored, mm; development scans: 0.9.
    pub space_spacing_mm: Span,
    /// Slices of a SPACE series; around the middle as in the development scans.
    pub space_slices: [usize; 2],
    /// Pixel size of SPACE series; development scans: 0.47.
    pub space_pixel_mm: f64,
    /// Height of the field of view, mm, at least what shows T12 to S1.
    pub field_mm: Span,
    /// Width of rectangular fields (phase field of view) against their height.
    pub rectangular: Span,
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
}

impl Default for ScannerParameters {
    fn default() -> Self {
        Self {
            space: 0.13,
            thickness_mm: Span::new(2.6, 6.0),
            gap: Span::new(1.0, 1.2),
            slices: [11, 17],
            pixel_mm: Span::new(0.36, 1.05),
            space_spacing_mm: Span::new(0.9, 1.8),
            space_slices: [20, 30],
            space_pixel_mm: 0.469,
            field_mm: Span::new(255.0, 310.0),
            rectangular: Span::new(0.72, 0.95),
            frequency_resolution: Span::new(0.7, 1.0),
            phase_sampling: Span::new(0.7, 0.96),
            filtered: 0.7,
            noise: Span::new(0.005, 0.02),
            space_noise: Span::new(0.015, 0.035),
            normalized: 0.55,
            coil_mm: Span::new(55.0, 150.0),
            bias: Span::new(0.0, 0.25),
            saturation: 0.4,
            space_saturation: 0.9,
            saturation_mm: Span::new(2.0, 35.0),
            chemical_shift: Span::new(0.4, 1.8),
            ghosted: 0.35,
            ghost: Span::new(0.01, 0.05),
            moved: 0.15,
            motion_mm: Span::new(0.4, 1.6),
            bits: [0.1, 0.75, 0.15],
        }
    }
}

/// Everything that decides how phantoms vary.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct PhantomParameters {
    /// How common findings are.
    pub pathology: PathologyRates,
    /// How common lookalikes are.
    pub distractors: DistractorRates,
    /// Build of patients.
    pub build: BuildParameters,
    /// Signals.
    pub tissues: TissueParameters,
    /// Scanner.
    pub scanner: ScannerParameters,
}
