//! Patients: how common findings are, build, tissue.

use super::{Bell, Span};

/// How common findings are.
///
/// Co-occurrence follows the development scans: the chance of each finding by Pfirrmann grade, patients who have it at
/// one level being likelier to have it at the next (see `pathology`). These numbers scale it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct PathologyRates {
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
pub(crate) struct DistractorRates {
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
pub(crate) struct BuildParameters {
    /// Size; development scans: body depth varies by 8 %.
    pub scale: Bell,
    /// Height of bodies against depth.
    pub slenderness: Bell,
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
pub(crate) struct TissueParameters {
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
            disc_patient: 0.24,
            disc: 0.17,
        }
    }
}
