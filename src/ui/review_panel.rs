//! The reader's verdict: findings in words, the selected grade, comment and signature.

use eframe::egui::{
    Align, Button, CursorIcon, Label, Layout, RichText, ScrollArea, Sense, TextEdit, TextStyle, Ui, vec2,
};

use super::action::{Actions, ProgramAction, ReadAction};
use super::command::UiCommand;
use super::language::{in_force, tr};
use super::state::{Selection, ShownGrade, ViewerState};
use super::{criteria, theme, why_panel};
use crate::spine::{ClassIndex, DiscLevel};

/// The study in words: the worst disc first, then what must not be relied on, and what was assessed. A click shows the
/// disc.
pub(crate) fn findings_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let (summary, colors) = (&state.reading.summary, theme::of(ui));
    if summary.discs().is_empty() {
        return;
    }
    if state.evidence.blind {
        return blind_ui(ui, state);
    }
    ui.horizontal(|ui| {
        ui.label(RichText::new(tr!("Findings")).strong());
        if !state.is_graded() {
            ui.label(RichText::new(tr!("so far")).small().color(colors.text_weak));
        }
        if ui.small_button(tr!("Copy")).on_hover_text(tr!("Copy these sentences")).clicked() {
            actions.push(ProgramAction::Copy(summary.sentences(in_force()).join("\n")));
        }
    });
    ui.spacing_mut().item_spacing.y = 2.0;
    for disc in summary.abnormal() {
        ui.horizontal_top(|ui| {
            let (mark, _) = ui.allocate_exact_size(vec2(8.0, 17.0), Sense::hover());
            ui.painter().rect_filled(mark.shrink2(vec2(1.0, 2.0)), 2.0, colors.severity_fill(disc.severity()));
            let label =
                ui.add(Label::new(RichText::new(disc.sentence(in_force())).size(12.5)).wrap().sense(Sense::click()));
            if label.on_hover_cursor(CursorIcon::PointingHand).on_hover_text(tr!("Show this disc")).clicked() {
                actions.push(ReadAction::SelectDisc(disc.level));
            }
        });
    }
    let changes = summary.changes(in_force()).into_iter().map(|sentence| (sentence, colors.text));
    let doubts = summary.doubt_sentences(in_force()).into_iter().map(|sentence| (sentence, colors.warning));
    let rest = |sentence: Option<String>| sentence.map(|sentence| (sentence, colors.text_weak));
    for (sentence, color) in rest(summary.unremarkable_sentence(in_force()))
        .into_iter()
        .chain(changes)
        .chain(doubts)
        .chain(rest(summary.scope_sentence(in_force())))
    {
        ui.add(Label::new(RichText::new(sentence).size(12.5).color(color)).wrap());
    }
}

/// What a blind reading is, and how its grades are given.
fn blind_ui(ui: &mut Ui, state: &ViewerState) {
    let colors = theme::of(ui);
    let text =
        tr!("Reading blind: what was computed is hidden ({keys}).", keys = UiCommand::ToggleBlind.keys_text(ui.ctx()));
    ui.label(RichText::new(text).color(colors.warning));
    let keys = UiCommand::NextMissing.keys_text(ui.ctx());
    let text = tr!(
        "Select a grade in the table and give yours: by its digit (absent 0, present 1), after which the next follows, or by \
         the buttons below. {keys} goes to the next that is missing. Finish shows what was computed beside them.",
        keys = keys
    );
    ui.add(Label::new(RichText::new(text).size(12.5).color(colors.text_weak)).wrap());
    let own = state.reader.trim();
    let others = state.reading.findings.readings.iter().filter(|reading| reading.reader != own && reading.count() > 0);
    let others = others.count();
    if others > 0 {
        ui.label(tr!(
            count = others;
            one "{count} other reader has read this series; you see how once you have finished.",
            other "{count} other readers have read this series; you see how once you have finished."
        ));
    }
}

/// Height of the editor, whatever it shows.
const EDITOR_HEIGHT: f32 = 198.0;
/// Height of the comment in it; longer ones scroll.
const COMMENT_HEIGHT: f32 = 40.0;

/// The selected grade, why it is what it is, and the comment on its disc; of one height always.
pub(super) fn verdict_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let size = vec2(ui.available_width(), EDITOR_HEIGHT);
    ui.allocate_ui_with_layout(size, Layout::top_down(Align::Min), |ui| {
        ui.set_min_size(size);
        ui.add_space(4.0);
        if let Some(selection) = state.reading.selection {
            grade_ui(ui, state, selection, actions);
            // A comment may be that of another reader.
            if !state.evidence.blind {
                ui.with_layout(Layout::bottom_up(Align::Min), |ui| comment_ui(ui, state, selection.level, actions));
            }
        } else {
            let text = tr!("Select a grade to see why it is what it is, to change it or to comment on its disc.");
            ui.add(Label::new(RichText::new(text).color(theme::of(ui).text_weak)).wrap());
        }
    });
}

/// The selected grade: its classes, the reason and the switches of its map.
fn grade_ui(ui: &mut Ui, state: &ViewerState, selection: Selection, actions: &mut Actions) {
    let Selection { level, grading } = selection;
    let grade = state.grade(selection).filter(|_| !state.evidence.blind);
    let blind = state.own_reading().filter(|_| state.evidence.blind);
    let blind = blind.and_then(|reading| reading.class_of(level, grading));
    ui.horizontal(|ui| {
        ui.label(RichText::new(format!("{level}  {}", criteria::name(grading))).strong());
        if blind.is_some() && ui.small_button(tr!("Take back")).clicked() {
            actions.push(ReadAction::ResetGrade);
        }
        let Some(grade) = grade else { return };
        let computed = criteria::class_name(grading, grade.computed);
        let percent = format!("{:.0}", grade.probability * 100.0);
        let text = tr!("computed {class}, {percent} %", class = computed, percent = percent);
        let text = RichText::new(text).small().color(theme::of(ui).text_weak);
        ui.label(if grade.edited.is_some() { text.strikethrough() } else { text });
        if grade.edited.is_some()
            && ui.small_button(tr!("Reset")).on_hover_text(UiCommand::GradeAsComputed.hint(ui.ctx())).clicked()
        {
            actions.push(ReadAction::ResetGrade);
        }
    });
    let Some(grade) = grade else {
        if state.evidence.blind && state.disc(level).is_some() {
            blind_classes_ui(ui, selection, blind, actions);
        }
        return;
    };
    why_panel::classes_ui(ui, state, selection, grade, actions);
    why_panel::reason_ui(ui, state, selection);
    why_panel::switches_ui(ui, state, selection, actions);
}

/// The classes of a grading as buttons, with the reader's blind one, and nothing that was computed.
fn blind_classes_ui(ui: &mut Ui, selection: Selection, chosen: Option<ClassIndex>, actions: &mut Actions) {
    let grading = selection.grading;
    ui.horizontal(|ui| {
        for class in 0..grading.classes() {
            let name = criteria::class_name(grading, class);
            let button = Button::selectable(chosen == Some(class), name).min_size(vec2(34.0, 22.0));
            let hint = criteria::criterion(grading, class);
            if ui.add(button).on_hover_text(format!("{name}: {hint}")).clicked() {
                actions.push(ReadAction::SetGrade { selection, class: Some(class) });
            }
        }
    });
}

fn comment_ui(ui: &mut Ui, state: &ViewerState, level: DiscLevel, actions: &mut Actions) {
    let mut text = state.reading.findings.review.comment_of(level).to_owned();
    let field = TextEdit::multiline(&mut text)
        .id_salt(("comment", level))
        .desired_rows(2)
        .desired_width(f32::INFINITY)
        .hint_text(tr!("Comment on {level}", level = level));
    let area = ScrollArea::vertical().id_salt("comment").max_height(COMMENT_HEIGHT).min_scrolled_height(COMMENT_HEIGHT);
    let changed = area.show(ui, |ui| ui.add(field).changed()).inner;
    if changed {
        actions.push(ReadAction::SetComment { level, text });
    }
}

/// The classes of a grade, to choose from in a menu.
pub(crate) fn grade_menu_ui(ui: &mut Ui, selection: Selection, grade: ShownGrade, actions: &mut Actions) {
    let Selection { level, grading } = selection;
    ui.label(RichText::new(format!("{level} {}", criteria::name(grading))).strong());
    for class in 0..grading.classes() {
        let (name, meaning) = (criteria::class_name(grading, class), criteria::criterion(grading, class));
        let text = if class == grade.computed {
            tr!("{class} (computed): {meaning}", class = name, meaning = meaning)
        } else {
            format!("{name}: {meaning}")
        };
        if ui.selectable_label(grade.class() == class, text).clicked() {
            actions.push(ReadAction::SetGrade { selection, class: Some(class) });
            ui.close();
        }
    }
}

/// Width of the reader's name, points, where there is room for it.
const READER_WIDTH: f32 = 110.0;
/// Least width of the reader's name: initials.
const LEAST_READER_WIDTH: f32 = 40.0;

/// Who reads, in the room that `beside` leaves: the texts of what stands in the same row.
fn reader_ui(ui: &mut Ui, state: &ViewerState, beside: &[&str], actions: &mut Actions) {
    let font = TextStyle::Button.resolve(ui.style());
    let (padding, gap) = (2.0 * ui.spacing().button_padding.x, ui.spacing().item_spacing.x);
    let width = |text: &&str| {
        let galley = ui.painter().layout_no_wrap((*text).to_owned(), font.clone(), theme::of(ui).text);
        galley.size().x + padding + gap
    };
    let taken: f32 = beside.iter().map(width).sum();
    let mut reader = state.reader.clone();
    let label = ui.label(tr!("Reader"));
    let width = (ui.available_width() - taken - padding).clamp(LEAST_READER_WIDTH, READER_WIDTH);
    let field = ui.add(TextEdit::singleline(&mut reader).desired_width(width).hint_text(tr!("name or initials")));
    if field.labelled_by(label.id).changed() {
        actions.push(ReadAction::SetReader(reader));
    }
}

/// Who reads blind, how far the reading is, and its end.
fn blind_reader_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    ui.horizontal(|ui| {
        let (given, total) = state.blind_progress();
        let progress = tr!("{given} of {total}", given = given, total = total);
        let is_finished = state.own_reading().is_some_and(|reading| reading.finished.is_some());
        let end = if is_finished { tr!("Show computed grades") } else { tr!("Finish") };
        reader_ui(ui, state, &[&progress, end], actions);
        ui.label(progress);
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            if is_finished {
                if ui.button(end).on_hover_text(UiCommand::ToggleBlind.hint(ui.ctx())).clicked() {
                    actions.push(UiCommand::ToggleBlind.action());
                }
            } else {
                let button = ui.add_enabled(given > 0, Button::new(end));
                if button.on_hover_text(UiCommand::FinishBlind.label()).clicked() {
                    actions.push(UiCommand::FinishBlind.action());
                }
            }
        });
    });
}

/// Name, signature and the way to the report.
pub(super) fn sign_off_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    if state.evidence.blind {
        return blind_reader_ui(ui, state, actions);
    }
    let colors = theme::of(ui);
    ui.horizontal(|ui| {
        if let Some(sign_off) = &state.reading.findings.review.sign_off {
            let when = sign_off.signed_at.replace('T', " ").replace('Z', " UTC");
            let text = RichText::new(tr!("Signed by {reader}", reader = sign_off.reader)).color(colors.good);
            ui.add(Label::new(text).truncate()).on_hover_text(when);
            if ui
                .small_button(tr!("Withdraw"))
                .on_hover_text(tr!("Take the signature back; any change does too"))
                .clicked()
            {
                actions.push(ReadAction::WithdrawSignOff);
            }
        } else {
            let buttons = [UiCommand::SignOff.label(), UiCommand::EditReport.label()];
            reader_ui(ui, state, &buttons, actions);
            let button = ui.add_enabled(state.is_graded(), Button::new(UiCommand::SignOff.label()));
            let button = button.on_disabled_hover_text(tr!("Possible when all discs are graded"));
            if button.on_hover_text(UiCommand::SignOff.hint(ui.ctx())).clicked() {
                actions.push(ReadAction::SignOff);
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let button = ui.add_enabled(!state.reading.discs.is_empty(), Button::new(UiCommand::EditReport.label()));
            if button.on_hover_text(UiCommand::EditReport.hint(ui.ctx())).clicked() {
                actions.push(UiCommand::EditReport.action());
            }
        });
    });
}
