//! Menus, tools and the title of the series.

use eframe::egui::containers::menu::MenuButton;
use eframe::egui::gui_zoom::{self, kb_shortcuts};
use eframe::egui::{Align, Button, Context, Label, Layout, MenuBar, Panel, RichText, Ui};

use super::action::{Actions, FileAction, ProgramAction, ViewAction};
use super::command::UiCommand;
use super::criteria;
use super::language::{self, tr};
use super::state::{PathPurpose, SeriesGrid, Tool, ViewLayout, ViewerState};
use super::{theme, window_menu};
use crate::language::Language;
use crate::spine::MeasurementKind;

/// Width from which on the title of the series is shown, points.
const LEAST_TITLE: f32 = 70.0;

/// The strip along the top.
pub(crate) fn top_bar_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    Panel::top("top_bar").resizable(false).show(ui, |ui| {
        MenuBar::new().ui(ui, |ui| {
            menus_ui(ui, state, actions);
            if state.loaded().is_some() {
                ui.separator();
                tools_ui(ui, state, actions);
                ui.separator();
                window_menu::window_menu_ui(ui, state, actions);
                layout_ui(ui, state, actions);
            }
            // It stands in the list too: less than this would be three dots.
            let has_room = ui.available_width() >= LEAST_TITLE;
            if let Some(series) = state.study.series_list.iter().find(|series| series.shown && has_room) {
                ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                    ui.add(Label::new(RichText::new(&series.title).color(theme::of(ui).text_weak)).truncate());
                });
            }
        });
    });
}

fn menus_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let study_open = state.study.folder.pending().is_some() || state.study.folder.ready().is_some();
    ui.menu_button(tr!("File"), |ui| {
        item_ui(ui, UiCommand::OpenFolder, true, actions);
        ui.menu_button(tr!("Open recent"), |ui| {
            for study in &state.recent {
                let name = study.file_name().unwrap_or(study.as_os_str()).to_string_lossy();
                if ui.button(name).on_hover_text(study.display().to_string()).clicked() {
                    actions.push(FileAction::Chosen(PathPurpose::OpenStudy, study.clone()));
                    ui.close();
                }
            }
            ui.separator();
            item_ui(ui, UiCommand::ClearRecent, !state.recent.is_empty(), actions);
        });
        item_ui(ui, UiCommand::OpenFile, true, actions);
        item_ui(ui, UiCommand::AddStudy, state.loaded().is_some(), actions);
        item_ui(ui, UiCommand::OpenArchive, true, actions);
        item_ui(ui, UiCommand::OpenDemo, true, actions);
        item_ui(ui, UiCommand::CloseStudy, study_open, actions);
        ui.separator();
        item_ui(ui, UiCommand::KeyImage, state.loaded().is_some(), actions);
        item_ui(ui, UiCommand::EditReport, !state.reading.discs.is_empty(), actions);
        item_ui(ui, UiCommand::SaveReport, !state.reading.discs.is_empty(), actions);
        item_ui(ui, UiCommand::SaveFigures, state.evidence.main.map.is_some(), actions);
        item_ui(ui, UiCommand::SaveBoxes, !state.reading.findings.boxes.is_empty(), actions);
        item_ui(ui, UiCommand::LoadBoxes, state.loaded().is_some(), actions);
        item_ui(ui, UiCommand::SendResults, !state.reading.discs.is_empty(), actions);
        item_ui(ui, UiCommand::SaveImage, state.loaded().is_some(), actions);
        item_ui(ui, UiCommand::CopyImage, state.loaded().is_some(), actions);
        item_ui(ui, UiCommand::SaveCopy, state.loaded().is_some(), actions);
        ui.separator();
        item_ui(ui, UiCommand::Quit, true, actions);
    });
    ui.menu_button(tr!("Edit"), |ui| edit_menu_ui(ui, state, actions));
    ui.menu_button(tr!("View"), |ui| view_menu_ui(ui, state, actions));
    ui.menu_button(tr!("Help"), |ui| {
        item_ui(ui, UiCommand::Palette, true, actions);
        item_ui(ui, UiCommand::Help, true, actions);
        item_ui(ui, UiCommand::Tour, true, actions);
        ui.separator();
        item_ui(ui, UiCommand::About, true, actions);
    });
}

fn edit_menu_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let named = |command: UiCommand, what: Option<&str>| {
        let label = command.label();
        what.map_or_else(|| label.to_owned(), |what| tr!("{command} {change}", command = label, change = what))
    };
    let (undo, redo) = (state.reading.undo_label, state.reading.redo_label);
    named_item_ui(ui, UiCommand::Undo, &named(UiCommand::Undo, undo), undo.is_some(), actions);
    named_item_ui(ui, UiCommand::Redo, &named(UiCommand::Redo, redo), redo.is_some(), actions);
    ui.separator();
    let something = state.reading.selected_box.is_some() || state.reading.selected_measurement.is_some();
    item_ui(ui, UiCommand::DeleteSelected, something, actions);
    for command in [UiCommand::CopyBoxOn, UiCommand::CopyBoxBack, UiCommand::NextUnboxed, UiCommand::PreviousUnboxed] {
        item_ui(ui, command, !state.reading.discs.is_empty(), actions);
    }
    ui.separator();
    let grade = state.reading.selection.and_then(|selection| state.grade(selection));
    for command in [UiCommand::GradeWorse, UiCommand::GradeMilder] {
        item_ui(ui, command, grade.is_some(), actions);
    }
    item_ui(ui, UiCommand::GradeAsComputed, grade.is_some_and(|grade| grade.edited.is_some()), actions);
    item_ui(ui, UiCommand::SignOff, state.is_graded(), actions);
    ui.separator();
    item_ui(ui, UiCommand::ToggleBlind, state.loaded().is_some(), actions);
    item_ui(ui, UiCommand::NextMissing, state.evidence.blind && !state.reading.discs.is_empty(), actions);
    item_ui(ui, UiCommand::FinishBlind, state.evidence.blind && state.blind_progress().0 > 0, actions);
    item_ui(ui, UiCommand::ShowAgreement, true, actions);
}

fn view_menu_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    use UiCommand::{
        ActualSize, Cine, CycleAnnotations, FitView, FlipHorizontally, FlipVertically, GradeBeside, Invert,
        LinkCompanion, NextLayout, ResetView, RotateLeft, RotateRight, Smooth, ToggleContour, ToggleEvidence,
        ToggleTheme,
    };
    let image_shown = state.loaded().is_some();
    for group in [
        &[FitView, ActualSize, ResetView][..],
        &[Invert, Smooth, RotateRight, RotateLeft, FlipHorizontally, FlipVertically],
        &[Cine, NextLayout, LinkCompanion, GradeBeside, CycleAnnotations, ToggleEvidence, ToggleContour],
    ] {
        for command in group {
            item_ui(ui, *command, image_shown, actions);
        }
        ui.separator();
    }
    for command in [UiCommand::ToggleSeries, UiCommand::ToggleFindings, UiCommand::FullScreen] {
        item_ui(ui, command, true, actions);
    }
    item_ui(ui, ToggleTheme, true, actions);
    item_ui(ui, UiCommand::ToggleRightDrag, true, actions);
    item_ui(ui, UiCommand::ToggleDiscZoom, true, actions);
    ui.menu_button(tr!("Language"), |ui| language_menu_ui(ui, &state.languages, actions));
    zoom_menu_ui(ui);
}

/// The languages that come with the program, and those of the user's tables.
fn language_menu_ui(ui: &mut Ui, languages: &[Language], actions: &mut Actions) {
    let now = language::in_force();
    for language in languages {
        if ui.add(Button::selectable(*language == now, language.name())).clicked() {
            actions.push(ProgramAction::SetLanguage(language.code().to_owned()));
            ui.close();
        }
    }
}

/// The size of everything: egui's own entries, whose words would be English always.
fn zoom_menu_ui(ui: &mut Ui) {
    let now = ui.ctx().zoom_factor();
    let entries: [(_, _, _, fn(&Context)); 3] = [
        (tr!("Zoom In"), kb_shortcuts::ZOOM_IN, now < 5.0, gui_zoom::zoom_in),
        (tr!("Zoom Out"), kb_shortcuts::ZOOM_OUT, now > 0.2, gui_zoom::zoom_out),
        (tr!("Reset Zoom"), kb_shortcuts::ZOOM_RESET, now != 1.0, |ctx| ctx.set_zoom_factor(1.0)),
    ];
    for (label, keys, is_enabled, zoom) in entries {
        let button = Button::new(label).shortcut_text(ui.ctx().format_shortcut(&keys));
        if ui.add_enabled(is_enabled, button).clicked() {
            zoom(ui.ctx());
        }
    }
}

fn item_ui(ui: &mut Ui, command: UiCommand, enabled: bool, actions: &mut Actions) {
    named_item_ui(ui, command, command.label(), enabled, actions);
}

fn named_item_ui(ui: &mut Ui, command: UiCommand, label: &str, enabled: bool, actions: &mut Actions) {
    let button = Button::new(label).shortcut_text(command.keys_text(ui.ctx()));
    if ui.add_enabled(enabled, button).clicked() {
        actions.push(command.action());
        ui.close();
    }
}

fn tools_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    for (label, tool, command) in [
        (tr!("Window"), Tool::Window, UiCommand::WindowTool),
        (tr!("Pan"), Tool::Pan, UiCommand::PanTool),
        (tr!("Zoom"), Tool::Zoom, UiCommand::ZoomTool),
        (tr!("Scroll"), Tool::Scroll, UiCommand::ScrollTool),
        (tr!("Cross"), Tool::Crosshair, UiCommand::CrosshairTool),
        (tr!("Box"), Tool::Box, UiCommand::BoxTool),
        (tr!("Vertebra"), Tool::Vertebra, UiCommand::VertebraTool),
    ] {
        let button = ui.add(Button::selectable(state.view.tool == tool, label));
        if button.on_hover_text(command.hint(ui.ctx())).clicked() {
            actions.push(command.action());
        }
    }
    let measured = if let Tool::Measure(kind) = state.view.tool { Some(kind) } else { None };
    let name = measured.map_or(tr!("Measure"), criteria::measurement);
    MenuButton::from_button(Button::selectable(measured.is_some(), name)).ui(ui, |ui| {
        for (kind, command) in MeasurementKind::ALL.into_iter().zip([
            UiCommand::LengthTool,
            UiCommand::AngleTool,
            UiCommand::CobbTool,
            UiCommand::SlipTool,
            UiCommand::DiscHeightTool,
            UiCommand::CanalWidthTool,
        ]) {
            named_item_ui(ui, command, criteria::measurement(kind), true, actions);
        }
        ui.separator();
        for command in [UiCommand::MeasureSlip, UiCommand::MeasureDiscHeight] {
            item_ui(ui, command, state.reading.selection.is_some(), actions);
        }
    });
}

fn layout_ui(ui: &mut Ui, state: &ViewerState, actions: &mut Actions) {
    let keys = UiCommand::NextLayout.keys_text(ui.ctx());
    for (layout, name, hint) in [
        (ViewLayout::Single, tr!("Slice"), tr!("The slice alone")),
        (ViewLayout::Planes, tr!("Planes"), tr!("With the axial and coronal planes through the crosshair")),
        (ViewLayout::Disc, tr!("Disc"), tr!("With the nine slices of the selected disc")),
        (ViewLayout::Compare, tr!("Compare"), tr!("Twice, with two evidence maps: other methods or gradings")),
    ] {
        let button = ui.add(Button::selectable(state.view.layout == layout, name));
        if button.on_hover_text(format!("{hint} ({keys})")).clicked() {
            actions.push(ViewAction::SetLayout(layout));
        }
    }
    let shown = if let ViewLayout::Series(grid) = state.view.layout { Some(grid) } else { None };
    let name = shown.map_or(tr!("Grid"), SeriesGrid::name);
    let hint = tr!("With other series, or those of a prior study, at the same place: drag them here from the list");
    let menu = MenuButton::from_button(Button::selectable(shown.is_some(), name)).ui(ui, |ui| {
        for grid in SeriesGrid::ALL {
            if ui.add(Button::selectable(shown == Some(grid), grid.name())).clicked() {
                actions.push(ViewAction::SetLayout(ViewLayout::Series(grid)));
                ui.close();
            }
        }
    });
    menu.0.on_hover_text(format!("{hint} ({keys})"));
}
