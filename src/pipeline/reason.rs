//! What was measured of a disc that a grade can be held against, in one sentence.

use super::DiscFindings;
use super::conflicts::heights_in_words;
use crate::language::{Language, say};
use crate::records::slip_in_words;
use crate::spine::{Grading, MeasuredValue};

impl DiscFindings {
    /// What was measured of this disc that bears on a grading: "Measured: height 7.2 mm (L3-L4 9.0 mm, L5-S1 8.5 mm), signal
    /// 0.2 of the fluid." Where nothing that was measured bears on it, the sentence says so.
    #[must_use]
    pub fn reason(&self, grading: Grading, language: Language) -> String {
        let measured = &self.measured;
        let beside = &self.beside_mm;
        let height = || {
            let height = MeasuredValue::Millimeters(measured.height_mm?).in_words(language);
            let height = say!(language, "height {value}", value = height);
            Some(if beside.is_empty() { height } else { format!("{height} ({})", heights_in_words(beside, language)) })
        };
        let signal = || {
            let share = language.decimal(measured.signal_of_fluid?, 2);
            Some(say!(language, "signal {share} of the fluid in the canal", share = share))
        };
        let parts = match grading {
            Grading::Pfirrmann => [height(), signal()],
            Grading::DiscNarrowing => [height(), None],
            Grading::Spondylolisthesis => {
                [measured.slip_percent.map(|percent| slip_in_words(percent, self.level, language)), None]
            }
            Grading::CentralCanalStenosis => {
                let width = |mm| MeasuredValue::Millimeters(mm).in_words(language);
                [measured.canal_mm.map(|mm| say!(language, "canal {value}", value = width(mm))), None]
            }
            Grading::UpperEndplateDefect
            | Grading::LowerEndplateDefect
            | Grading::UpperMarrowChange
            | Grading::LowerMarrowChange
            | Grading::DiscBulging
            | Grading::DiscHerniation => [None, None],
        };
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        match grading {
            _ if !parts.is_empty() => say!(language, "Measured: {measures}.", measures = parts.join(", ")),
            Grading::CentralCanalStenosis => {
                say!(language, "The canal is not measured yet: measure its width, or judge by image and map.")
                    .to_owned()
            }
            _ => say!(language, "Nothing measured bears on this grade: judge by image and map.").to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::findings::tests::disc;
    use crate::language::Language;
    use crate::phantom::{PhantomPatient, PhantomSettings};
    use crate::records::DiscMeasures;
    use crate::spine::{DiscLevel, Grading, signal_of_fluid};

    #[test]
    fn a_reason_names_what_was_measured_and_nothing_else() {
        let mut found = disc(DiscLevel::L4L5, &[(Grading::Pfirrmann, 4, 0.9)]);
        assert_eq!(
            found.reason(Grading::Pfirrmann, Language::ENGLISH),
            "Nothing measured bears on this grade: judge by image and map."
        );
        found.measured = DiscMeasures {
            height_mm: Some(7.24),
            slip_percent: Some(12.0),
            canal_mm: None,
            signal_of_fluid: Some(0.214),
        };
        found.beside_mm = vec![(DiscLevel::L3L4, 9.0), (DiscLevel::L5S1, 8.5)];
        let height = "height 7.2 mm (L3-L4 9.0 mm, L5-S1 8.5 mm)";
        for (grading, words) in [
            (Grading::Pfirrmann, format!("Measured: {height}, signal 0.21 of the fluid in the canal.")),
            (Grading::DiscNarrowing, format!("Measured: {height}.")),
            (Grading::Spondylolisthesis, "Measured: slip 12 % forward, Meyerding I.".to_owned()),
        ] {
            assert_eq!(found.reason(grading, Language::ENGLISH), words);
        }
        assert!(found.reason(Grading::CentralCanalStenosis, Language::ENGLISH).contains("not measured"));
        found.measured.canal_mm = Some(9.0);
        assert_eq!(found.reason(Grading::CentralCanalStenosis, Language::ENGLISH), "Measured: canal 9.0 mm.");
        assert!(found.reason(Grading::UpperEndplateDefect, Language::ENGLISH).starts_with("Nothing measured"));
    }

    /// Mean over a few synthetic patients: a disc is the darker the worse its grade, until it has collapsed: what is left of
    /// it is hardly thicker than a pixel, and the bone beside it shines through.
    #[test]
    fn the_signal_follows_the_grade_of_synthetic_patients() {
        let mean = |grade| {
            let shares = (0..4).filter_map(|seed| {
                let settings = PhantomSettings::new(seed).with_grade(DiscLevel::L3L4, Grading::Pfirrmann, grade);
                let shown = PhantomPatient::draw(&settings.expect("a grade")).disc(DiscLevel::L3L4, 0)?;
                signal_of_fluid(&shown.volume, &shown.disc)
            });
            let shares: Vec<f64> = shares.collect();
            shares.iter().sum::<f64>() / shares.len() as f64
        };
        let shares = [1, 2, 3, 4, 5].map(mean);
        assert!(shares[..4].windows(2).all(|pair| pair[0] > 1.2 * pair[1]), "{shares:?}");
        assert!(shares[0] > 2.0 * shares[4], "{shares:?}");
    }
}
