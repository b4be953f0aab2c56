//! The window in other languages. The language is that of a whole process, so that this journey has one of its own.

use super::review::copied;
use super::*;

use spinenet_viewer::language::Language;
use spinenet_viewer::ui::action::{FileAction, ProgramAction};
use spinenet_viewer::ui::state::{Page, PathPurpose};

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
        // The open series tells of itself in it too.
        let detail = &window.state().state.study.series_list[0].detail;
        assert!(detail.contains("11") && !detail.contains("slices"), "{code}: {detail}");
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

/// Windows, pages and reports in every language: `SPINENET_PICTURES=FOLDER cargo test --test ui -- --ignored pages_to_look_at`.
#[test]
#[ignore = "writes pictures for the eye, and changes the language of its process"]
fn pages_to_look_at() {
    let out = PathBuf::from(std::env::var_os("SPINENET_PICTURES").expect("a folder"));
    let folder = scratch();
    let save =
        |window: &mut Window, name: &str| picture(window).save(out.join(format!("{name}.png"))).expect("written");
    let speak = |window: &mut Window, code: &str| apply(window, ProgramAction::SetLanguage(code.to_owned()));
    let mut window = super::blind::finished_window(&folder.path().join("blind"));
    for code in ["de", "es", "fr", "en"] {
        speak(&mut window, code);
        save(&mut window, &format!("agreement-{code}"));
    }
    for (name, size, scale) in [
        ("1024", vec2(1024.0, 700.0), 1.0),
        ("1440", vec2(1440.0, 900.0), 1.0),
        ("2560", vec2(2560.0, 1440.0), 1.0),
        ("twice", vec2(1024.0, 700.0), 2.0),
    ] {
        let mut window = super::screens::explained(&folder.path().join(name), size, scale);
        for code in ["de", "es", "fr", "en"] {
            speak(&mut window, code);
            for theme in ["dark", "light"] {
                save(&mut window, &format!("window-{name}-{code}-{theme}"));
                let pages = [("report", Page::Report), ("about", Page::About), ("help", Page::Help)];
                for (page_name, page) in pages.into_iter().filter(|_| name == "1024") {
                    apply(&mut window, ProgramAction::TogglePage(page));
                    save(&mut window, &format!("{page_name}-{code}-{theme}"));
                    apply(&mut window, ProgramAction::TogglePage(page));
                }
                apply(&mut window, ProgramAction::ToggleTheme);
            }
            if name == "1024" {
                window.state_mut().state.banners.clear();
                let file = out.join(format!("report-{code}.pdf"));
                apply(&mut window, FileAction::Chosen(PathPurpose::SaveReport, file));
                wait_for(&mut window, "the report", |viewer| !viewer.state.banners.is_empty());
                window.state_mut().state.banners.clear();
            }
        }
    }
}
