//! Text that flows: beside the key image, then below it and over as many pages as it takes.

use super::page::{HEIGHT, MARGIN, Style, TEXT, WIDTH};

/// Base line of the first line of a further page, and of the last one of any.
const TOP: f32 = 60.0;
const BOTTOM: f32 = HEIGHT - 58.0;
/// Distance of base lines in sizes of the text.
const LEADING: f32 = 1.35;

/// A line of text at the start of its base line.
#[derive(Debug, Clone)]
pub(super) struct Placed {
    pub at: (f32, f32),
    pub style: Style,
    pub text: String,
}

/// Pages of placed lines. Lengths are points.
#[derive(Debug)]
pub(super) struct Flow {
    pages: Vec<Vec<Placed>>,
    /// Base line of the next line.
    y: f32,
    /// The picture on the first page: what is beside it begins at `.0`; it ends at `.1`.
    picture: (f32, f32),
}

impl Flow {
    /// Begins on the first page at the base line `y`.
    pub(super) fn new(y: f32, picture: (f32, f32)) -> Self {
        Self { pages: vec![Vec::new()], y, picture }
    }

    /// The lines of each page.
    pub(crate) fn pages(&self) -> &[Vec<Placed>] {
        &self.pages
    }

    /// A title with the section below it.
    pub(super) fn section(&mut self, title: &str) {
        self.y += 6.0;
        // A title does not stand alone at the end of a page.
        if self.y + 30.0 > BOTTOM {
            self.turn_page();
        }
        self.paragraph(Style::new(11.0, TEXT).bold(), 0.0, title);
        self.y += 1.0;
    }

    pub(super) fn space(&mut self, height: f32) {
        self.y += height;
    }

    /// Wrapped text, `indent` to the right.
    pub(crate) fn paragraph(&mut self, style: Style, indent: f32, text: &str) {
        let mut room = self.room() - indent;
        let mut lines = style.wrapped(text, room);
        // A paragraph is not torn by the end of the picture.
        if self.is_beside() && self.y + lines.len() as f32 * style.size * LEADING > self.picture.1 + 16.0 {
            self.y = self.picture.1 + 24.0;
            room = self.room() - indent;
            lines = style.wrapped(text, room);
        }
        while !lines.is_empty() {
            if self.y > BOTTOM {
                self.turn_page();
            }
            let at = (self.left() + indent, self.y);
            let page = self.pages.last_mut().expect("there is a page always");
            page.push(Placed { at, style, text: lines.remove(0) });
            self.y += style.size * LEADING;
        }
    }

    /// Keeps `height` free over the whole width; the page, counted from 0, and where on it the free part begins.
    pub(super) fn block(&mut self, height: f32) -> (usize, f32) {
        if self.is_beside() {
            self.y = self.picture.1 + 24.0;
        }
        if self.y + height > BOTTOM {
            self.turn_page();
        }
        let top = self.y;
        self.y += height;
        (self.pages.len() - 1, top)
    }

    fn is_beside(&self) -> bool {
        self.pages.len() == 1 && self.y < self.picture.1 + 16.0
    }

    fn left(&self) -> f32 {
        if self.is_beside() { self.picture.0 } else { MARGIN }
    }

    fn room(&self) -> f32 {
        WIDTH - MARGIN - self.left()
    }

    fn turn_page(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_flows_past_the_picture_and_over_pages_and_loses_nothing() {
        let mut flow = Flow::new(150.0, (300.0, 260.0));
        let text: Vec<String> = (0..2500).map(|number| number.to_string()).collect();
        flow.section("Findings");
        flow.paragraph(Style::new(10.0, TEXT), 8.0, "beside");
        flow.paragraph(Style::new(10.0, TEXT), 8.0, &text.join(" "));
        let (page, top) = flow.block(200.0);
        assert!(flow.pages().len() > 1 && page == flow.pages().len() - 1);
        let lines: Vec<&Placed> = flow.pages().iter().flatten().skip(1).collect();
        let words: Vec<&str> = lines.iter().flat_map(|line| line.text.split(' ')).collect();
        assert_eq!(words[1..], text);
        assert_eq!((lines[0].at.0, lines[1].at), (308.0, (MARGIN + 8.0, 284.0)), "beside, then below");
        for line in lines {
            assert!(line.at.0 + line.style.width(&line.text) <= WIDTH - MARGIN + 0.1 && line.at.1 <= BOTTOM);
        }
        assert!(flow.pages()[page].iter().all(|line| line.at.1 <= top));
    }
}
