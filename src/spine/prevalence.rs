//! What classes that are more or less common do to probabilities.

use super::{Grading, PerGrading};

/// How common each class of a grading is among discs that were counted.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Prevalence(Vec<f32>);

impl Prevalence {
    /// From numbers of discs: one a class, or two for a grading of more classes whose discs are only known to be normal or
    /// not. One disc more is counted of each, so that no class is taken for impossible. `None` without discs, or where the
    /// numbers are not those of this grading.
    #[must_use]
    pub(crate) fn of_counts(grading: Grading, counts: &[usize]) -> Option<Self> {
        let of_class = |class: usize| if counts.len() == 2 { counts[class.min(1)] } else { counts[class] };
        let fits = counts.len() == 2 || counts.len() == grading.classes();
        let is_known = fits && counts.iter().sum::<usize>() > 0;
        is_known.then(|| Self((0..grading.classes()).map(|class| (of_class(class) + 1) as f32).collect()))
    }

    /// Probabilities that hold where classes are equally common, as they are where classes are this common (Saerens et al.
    /// 2002, eq. 2.4).
    #[must_use]
    pub(crate) fn applied_to(&self, probabilities: &[f32]) -> Vec<f32> {
        let weighted: Vec<f32> =
            probabilities.iter().zip(&self.0).map(|(probability, count)| probability * count).collect();
        let sum: f32 = weighted.iter().sum();
        weighted.into_iter().map(|value| value / sum).collect()
    }
}

/// The same of all gradings whose prevalence is known.
#[must_use]
pub(crate) fn at_prevalence(
    probabilities: &PerGrading<Vec<f32>>,
    prevalence: &PerGrading<Prevalence>,
) -> PerGrading<Vec<f32>> {
    let of_grading = |(grading, prevalence): (Grading, &Prevalence)| {
        Some((grading, prevalence.applied_to(probabilities.get(grading)?)))
    };
    prevalence.iter().filter_map(of_grading).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bayes' rule by hand: of 1,000 discs 20 slip; a test that answers "slip" for 90 % of them and for 30 % of the others
    /// has a balanced probability of 0.9 / (0.9 + 0.3) = 0.75, but 18 of its 312 answers are right.
    #[test]
    fn a_rare_finding_is_less_probable_than_where_it_is_as_common_as_none() {
        let prevalence = Prevalence::of_counts(Grading::Spondylolisthesis, &[979, 19]).expect("counts");
        let [absent, present] = prevalence.applied_to(&[0.25, 0.75])[..] else { panic!("two classes") };
        assert!((present - 18.0 / 312.0).abs() < 1e-6 && (absent + present - 1.0).abs() < 1e-6, "{present}");
    }

    /// Narrowing is mostly labelled as yes or no: the odds of yes change, those among its grades do not.
    #[test]
    fn where_only_yes_and_no_were_counted_grades_keep_their_proportions() {
        let prevalence = Prevalence::of_counts(Grading::DiscNarrowing, &[2, 8]).expect("counts");
        let applied = prevalence.applied_to(&[0.5, 0.3, 0.15, 0.05]);
        assert!((applied[0] - 0.25).abs() < 1e-6 && (applied[1] / applied[2] - 2.0).abs() < 1e-5, "{applied:?}");
    }

    #[test]
    fn counts_of_something_else_say_nothing() {
        for counts in [&[][..], &[3], &[1, 2, 3], &[0, 0]] {
            assert_eq!(Prevalence::of_counts(Grading::Pfirrmann, counts), None, "{counts:?}");
        }
        let never_seen = Prevalence::of_counts(Grading::Pfirrmann, &[0, 4, 4, 4, 4]).expect("counts");
        assert!(never_seen.applied_to(&[0.96, 0.01, 0.01, 0.01, 0.01])[0] > 0.5);
    }
}
