//! Short words for putting data sets together.

use dicom_core::value::{DataSetSequence, PrimitiveValue};
use dicom_core::{DataElement, Tag, VR};
use dicom_object::InMemDicomObject;

/// A data set or an item of a sequence.
pub(super) type Item = InMemDicomObject;

/// Putting elements into a data set.
pub(super) trait Put {
    /// A text in any of the text representations; several values are parted by `\`.
    fn text(&mut self, tag: Tag, vr: VR, value: &str);
    /// A 16-bit number.
    fn short(&mut self, tag: Tag, value: u16);
    /// 32-bit numbers.
    fn longs(&mut self, tag: Tag, values: &[u32]);
    /// A sequence.
    fn items(&mut self, tag: Tag, items: Vec<Item>);
    /// A sequence of one item.
    fn item(&mut self, tag: Tag, item: Item) {
        self.items(tag, vec![item]);
    }
}

impl Put for Item {
    fn text(&mut self, tag: Tag, vr: VR, value: &str) {
        self.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
    }

    fn short(&mut self, tag: Tag, value: u16) {
        self.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
    }

    fn longs(&mut self, tag: Tag, values: &[u32]) {
        self.put(DataElement::new(tag, VR::UL, PrimitiveValue::U32(values.iter().copied().collect())));
    }

    fn items(&mut self, tag: Tag, items: Vec<Item>) {
        self.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
    }
}

/// An item of some texts.
pub(super) fn texts(elements: &[(Tag, VR, &str)]) -> Item {
    let mut item = Item::new_empty();
    for (tag, vr, value) in elements {
        item.text(*tag, *vr, value);
    }
    item
}
