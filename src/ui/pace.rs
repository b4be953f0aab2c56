//! Slow frames bring many events at once, while a frame knows only where the pointer is and which keys are held at its
//! end. A batch is cut where that would lose something: a drag within one frame, a text typed right after the click into
//! its field, a tool chosen by key just before it is used.

use std::collections::VecDeque;

use eframe::egui::{self, Event, Id, Key, Modifiers, Plugin, Pos2, RawInput, Ui};

/// Gives every frame the events that it can tell apart and keeps the others for the next one.
#[derive(Debug, Default)]
pub(crate) struct Pace {
    waiting: VecDeque<Event>,
    /// Buttons of the pointer that are down, as far as frames know.
    buttons_down: usize,
}

/// What a frame holds so far.
#[derive(Debug, Default)]
struct Frame {
    /// Where a button was last pressed or let go.
    button_at: Option<Pos2>,
    was_released: bool,
    /// The pointer moved with a button down.
    was_dragged: bool,
    /// A key was pressed that may be a command.
    key: Option<(Key, Modifiers)>,
}

impl Frame {
    /// Whether an event has to wait for the next frame.
    fn is_closed_to(&self, event: &Event, is_typing: bool) -> bool {
        match event {
            Event::PointerMoved(at) => self.button_at.is_some_and(|before| before != *at),
            Event::PointerButton { pressed: true, .. } => self.was_released || self.was_dragged || self.key.is_some(),
            Event::PointerButton { pressed: false, .. } => self.was_dragged,
            Event::Key { key, modifiers, pressed: true, .. } => {
                let is_another = self.key.is_some_and(|before| before != (*key, *modifiers));
                self.button_at.is_some() || is_another && !is_typing
            }
            Event::PointerGone | Event::Text(_) | Event::Paste(_) | Event::Copy | Event::Cut => {
                self.button_at.is_some()
            }
            Event::ModifiersChanged(_) => self.button_at.is_some() || self.key.is_some(),
            _ => false,
        }
    }
}

impl Pace {
    /// The events of the next frame.
    fn next_frame(&mut self, is_typing: bool) -> Vec<Event> {
        let (mut frame, mut events) = (Frame::default(), Vec::new());
        while let Some(event) = self.waiting.pop_front_if(|event| !frame.is_closed_to(event, is_typing)) {
            match &event {
                Event::PointerMoved(_) => frame.was_dragged |= self.buttons_down > 0,
                Event::PointerButton { pos, pressed, .. } => {
                    frame.button_at = Some(*pos);
                    frame.was_released |= !pressed;
                    self.buttons_down =
                        if *pressed { self.buttons_down + 1 } else { self.buttons_down.saturating_sub(1) };
                }
                Event::PointerGone | Event::WindowFocused(false) => self.buttons_down = 0,
                Event::Key { key, modifiers, pressed: true, .. } => frame.key = Some((*key, *modifiers)),
                _ => {}
            }
            events.push(event);
        }
        events
    }
}

fn place() -> Id {
    Id::unique("typing before this frame")
}

/// Whether a text field had the keyboard when this frame began. Escape takes it away before any panel is drawn.
#[must_use]
pub(crate) fn was_typing(ctx: &egui::Context) -> bool {
    ctx.data(|data| data.get_temp(place())).unwrap_or_default()
}

impl Plugin for Pace {
    fn debug_name(&self) -> &'static str {
        "pace"
    }

    fn input_hook(&mut self, ctx: &egui::Context, input: &mut RawInput) {
        self.waiting.extend(std::mem::take(&mut input.events));
        let is_typing = ctx.text_edit_focused();
        ctx.data_mut(|data| data.insert_temp(place(), is_typing));
        input.events = self.next_frame(is_typing);
    }

    fn on_end_pass(&mut self, ui: &mut Ui) {
        if !self.waiting.is_empty() {
            ui.ctx().request_repaint();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use eframe::egui::{PointerButton, pos2};

    fn button(at: Pos2, pressed: bool) -> Event {
        Event::PointerButton { pos: at, button: PointerButton::Primary, pressed, modifiers: Modifiers::NONE }
    }

    fn key(key: Key) -> Event {
        let modifiers = Modifiers::NONE;
        Event::Key { key, physical_key: None, pressed: true, repeat: false, modifiers }
    }

    /// How many events each frame has.
    fn frames(events: Vec<Event>, is_typing: bool) -> Vec<usize> {
        let mut pace = Pace { waiting: events.into(), ..Pace::default() };
        let mut frames = Vec::new();
        while !pace.waiting.is_empty() {
            frames.push(pace.next_frame(is_typing).len());
        }
        frames
    }

    #[test]
    fn a_drag_is_seen_from_where_it_began_to_where_it_ended() {
        let (from, to) = (pos2(10.0, 10.0), pos2(90.0, 50.0));
        let drag = vec![
            Event::PointerMoved(from),
            button(from, true),
            Event::PointerMoved(pos2(40.0, 20.0)),
            Event::PointerMoved(to),
            button(to, false),
        ];
        assert_eq!(frames(drag, false), [2, 2, 1]);
    }

    #[test]
    fn a_click_is_one_frame_and_a_second_one_another() {
        let at = pos2(10.0, 10.0);
        let click = [Event::PointerMoved(at), button(at, true), button(at, false)];
        assert_eq!(frames(click.to_vec(), false), [3]);
        assert_eq!(frames([click.clone(), click].concat(), false), [4, 2]);
    }

    #[test]
    fn text_waits_for_the_field_that_was_clicked_and_keys_for_the_command_before_them() {
        let at = pos2(10.0, 10.0);
        let text = || Event::Text("l".to_owned());
        assert_eq!(frames(vec![button(at, true), button(at, false), key(Key::L), text()], false), [2, 2]);
        assert_eq!(frames(vec![key(Key::B), button(at, true)], false), [1, 1], "the tool is chosen first");
        assert_eq!(frames(vec![key(Key::A), text(), key(Key::L), text()], false), [2, 2]);
        assert_eq!(frames(vec![key(Key::A), text(), key(Key::L), text()], true), [4], "while a text is typed");
        assert_eq!(frames(vec![key(Key::ArrowDown), key(Key::ArrowDown)], false), [2], "a key that is held");
    }

    #[test]
    fn what_was_held_counts_until_the_frame_is_over() {
        let held = |modifiers| Event::ModifiersChanged(modifiers);
        let keys = vec![held(Modifiers::COMMAND), key(Key::S), held(Modifiers::NONE)];
        assert_eq!(frames(keys, false), [2, 1]);
        let at = pos2(10.0, 10.0);
        assert_eq!(frames(vec![held(Modifiers::SHIFT), button(at, true), held(Modifiers::NONE)], false), [2, 1]);
    }
}
