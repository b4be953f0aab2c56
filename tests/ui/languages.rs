//! The window in other languages. The language is that of a whole process, so that this journey has one of its own.

use super::review::copied;
use super::*;

use spinenet_viewer::language::Language;

/// The languages with what their readers look for: the menus, a grade, the list of series and what the copying is told by.
const EXPECTED: [(&str, [&str; 6]); 3] = [
    (
        "de",
        [
            "Ansicht",
            "Sprache",
            "L4-L5 Pfirrmann-Grad: V, 85 %",
            "Serien",
            "TECHNIK",
            "Der Befund ist in der Zwischenablage.",
        ],
    ),
    (
        "es",
        [
            "Ver",
            "Idioma",
            "L4-L5 Grado de Pfirrmann: V, 85 %",
            "Series",
            "TÉCNICA",
            "El informe está en el portapapeles.",
        ],
    ),
    (
        "fr",
        [
            "Affichage",
            "Langue",
            "L4-L5 Grade de Pfirrmann: V, 85 %",
            "Séries",
            "TECHNIQUE",
            "Le compte rendu est dans le presse-papiers.",
        ],
    ),
];

#[test]
fn a_reader_works_in_another_language() {
    let program = std::env::current_exe().expect("this test");
    let journey = ["--ignored", "--exact", "languages::languages_are_chosen_in_the_menu_and_kept"];
    let done = std::process::Command::new(program).args(journey).output().expect("it starts");
    let told = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && told.contains("1 passed"), "{told}");
}

#[test]
#[ignore = "changes the language of its process: the test above gives it one"]
fn languages_are_chosen_in_the_menu_and_kept() {
    let folder = scratch();
    let mut window = graded_window(folder.path());
    let [mut view, mut languages] = ["View", "Language"];
    for (code, [new_view, new_languages, grade, series, technique, told]) in EXPECTED {
        let language = Language::shipped().into_iter().find(|language| language.code() == code).expect("shipped");
        window.get_by_label(view).click();
        window.run();
        window.get_by_label_contains(languages).click();
        window.run();
        window.get_by_label(language.name()).click();
        window.run();
        window.get_by_label(new_view);
        window.get_by_label(grade);
        window.get_by_label(series);
        // The same sentences on the screen and in the text.
        let text = copied(&mut window);
        assert!(text.starts_with(technique), "{code}: {text}");
        for sentence in window.state().state.reading.summary.sentences(language) {
            assert!(text.contains(&sentence), "{sentence} is missing in\n{text}");
        }
        window.run();
        window.get_by_label(told);
        window.state_mut().state.banners.clear();
        (view, languages) = (new_view, new_languages);
    }
    drop(window);
    // It is there at the next start.
    let mut again = graded_window(folder.path());
    again.state().apply_settings(&again.ctx);
    again.run();
    again.get_by_label("Affichage");
}
