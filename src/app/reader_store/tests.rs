use super::*;
use crate::records::Review;
use crate::spine::{BoxSource, DiscLevel, Grading, PixelBox};

fn a_box(x: f64) -> SliceBox {
    let rect = PixelBox { x, y: 2.0, width: 3.0, height: 4.0 };
    let (level, grading) = (DiscLevel::L4L5, Grading::UpperMarrowChange);
    SliceBox { level, grading, slice: 5, rect, source: BoxSource::Reader, percentile: None }
}

fn voxels(letter: char) -> String {
    letter.to_string().repeat(64)
}

fn boxes_file(boxes: Vec<SliceBox>) -> BoxesFile {
    BoxesFile::new("AB", "1.2.3", boxes).on_voxels(&voxels('a'))
}

/// Earlier work on the images, as the window gets it.
fn work_on(store: &ReaderStore, series: &str, letter: char) -> SavedWork {
    let key = SeenImages { series_instance_uid: series.to_owned(), voxel_sha256: voxels(letter) };
    store.request_work(key.clone()).expect("room");
    match store.events.recv_timeout(Duration::from_secs(20)).expect("an answer") {
        StoreEvent::Work(of, work) => {
            assert_eq!(of, key);
            *work.expect("readable")
        }
        StoreEvent::NotSaved(error) => panic!("{error}"),
        StoreEvent::SavedAfterAll | StoreEvent::Joined { .. } => panic!("another event"),
    }
}

/// A decision is queued before the look for earlier work, so the look finds it.
#[test]
fn work_asked_for_after_a_decision_holds_the_decision() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = ReaderStore::start(Some(folder.path().to_owned()), || ()).expect("a thread");
    for x in 0..20 {
        store.save_boxes(boxes_file(vec![a_box(f64::from(x))])).expect("room");
    }
    assert_eq!(work_on(&store, "1.2.3", 'a').boxes, [a_box(19.0)]);
}

/// However many changes wait for a slow disk, each file is written once more, as it is at last.
#[test]
fn changes_that_wait_for_the_disk_are_saved_together() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = ReaderStore::start(Some(folder.path().to_owned()), || ()).expect("a thread");
    let (begun, begin) = bounded(0);
    let (release, released) = bounded(0);
    let wait = move |_: &Path| {
        begun.send(()).expect("awaited");
        released.recv().expect("released");
        Ok(())
    };
    store.queue_save(folder.path().join("slow"), wait).expect("room");
    begin.recv().expect("the thread is at work");
    let (told, written) = bounded(WAITING);
    for change in 0..WAITING / 2 {
        for name in ["one", "other"] {
            let told = told.clone();
            let write = move |_: &Path| {
                told.send((name, change)).expect("room");
                Ok(())
            };
            store.queue_save(folder.path().join(name), write).expect("room");
        }
    }
    release.send(()).expect("the disk answers");
    drop(store);
    let last = WAITING / 2 - 1;
    assert_eq!(written.try_iter().collect::<Vec<_>>(), [("one", last), ("other", last)]);
}

#[test]
fn work_that_cannot_be_read_is_told_and_stays() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("boxes").join(format!("1.2.3-{}.json", &voxels('a')[..16]));
    std::fs::create_dir(folder.path().join("boxes")).expect("made");
    std::fs::write(&file, "{ broken").expect("written");
    let store = ReaderStore::start(Some(folder.path().to_owned()), || ()).expect("a thread");
    let key = SeenImages { series_instance_uid: "1.2.3".to_owned(), voxel_sha256: voxels('a') };
    store.request_work(key).expect("room");
    let answer = store.events.recv_timeout(Duration::from_secs(20)).expect("an answer");
    assert!(matches!(answer, StoreEvent::Work(_, Err(StoreError::Boxes(BoxesError::Json(_))))));
    assert_eq!(std::fs::read_to_string(file).expect("there"), "{ broken");
}

#[test]
fn work_comes_back_from_disk() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = folder.path().join("deep/data");
    let store = ReaderStore::start(Some(place.clone()), || ()).expect("a thread");
    assert!(work_on(&store, "1.2.3", 'a').boxes.is_empty());
    store.save_boxes(boxes_file(vec![a_box(1.0)])).expect("room");
    store.save_boxes(boxes_file(vec![a_box(1.0), a_box(9.0)])).expect("room");
    let mut review = Review::default();
    review.set_comment(DiscLevel::L5S1, "seen");
    let file = ReviewFile::new("1.2.3", &voxels('a'), None, review);
    store.save_review(file.clone()).expect("room");
    drop(store);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(place.join("reviews")).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o700, "closed to other users");
    }
    let store = ReaderStore::start(Some(place), || ()).expect("a thread");
    let saved = work_on(&store, "1.2.3", 'a');
    assert_eq!(saved.boxes, [a_box(1.0), a_box(9.0)]);
    assert_eq!((saved.review, saved.is_on_other_images), (Some(file), false));
}

/// The same series with other images: what was decided about the first ones stays on disk and does not show.
#[test]
fn work_is_about_the_images_that_were_seen() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let place = folder.path().to_owned();
    let store = ReaderStore::start(Some(place.clone()), || ()).expect("a thread");
    let review = |words: &str| {
        let mut review = Review::default();
        review.set_comment(DiscLevel::L5S1, words);
        review
    };
    store.save_review(ReviewFile::new("1.2.3", &voxels('a'), None, review("all slices"))).expect("room");
    drop(store);
    let store = ReaderStore::start(Some(place.clone()), || ()).expect("a thread");
    let half = work_on(&store, "1.2.3", 'b');
    assert!(half.is_on_other_images && half.review.is_none() && half.boxes.is_empty());
    for unseen in ["1.2", "1.2.3.4"] {
        assert!(!work_on(&store, unseen, 'b').is_on_other_images, "{unseen}");
    }
    store.save_review(ReviewFile::new("1.2.3", &voxels('b'), None, review("half of them"))).expect("room");
    drop(store);
    let store = ReaderStore::start(Some(place), || ()).expect("a thread");
    for (images, words) in [('a', "all slices"), ('b', "half of them")] {
        let saved = work_on(&store, "1.2.3", images);
        assert_eq!(saved.review.expect("kept").review.comment_of(DiscLevel::L5S1), words);
    }
}

#[test]
fn a_hostile_uid_stays_in_the_folder() {
    let place = WorkFolder(Some(PathBuf::from("/data")));
    let path = place.path_of("boxes", "../../etc/passwd", &voxels('a')).expect("a path");
    assert_eq!(path.parent(), Some(Path::new("/data/boxes")));
    assert_eq!(place.path_of("boxes", "../..", &voxels('a')), None);
}

#[test]
fn a_failed_save_is_told() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let blocked = folder.path().join("file");
    std::fs::write(&blocked, b"in the way").expect("writable");
    let (told, wake) = bounded(1);
    let wake_once = move || {
        let _ = told.try_send(());
    };
    let store = ReaderStore::start(Some(blocked), wake_once).expect("a thread");
    store.save_boxes(boxes_file(vec![a_box(1.0)])).expect("room");
    wake.recv_timeout(std::time::Duration::from_secs(20)).expect("the failure wakes the window");
    assert!(matches!(store.poll(), Some(StoreEvent::NotSaved(_))));
}

fn event(store: &ReaderStore) -> StoreEvent {
    store.events.recv_timeout(Duration::from_secs(20)).expect("an event")
}

fn review(change: impl FnOnce(&mut Review)) -> ReviewFile {
    let mut review = Review::default();
    change(&mut review);
    ReviewFile::new("1.2.3", &voxels('a'), None, review)
}

/// What cannot be saved is told once and saved as soon as that is possible, without another change.
#[test]
fn what_could_not_be_saved_is_saved_when_it_can_be() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let in_the_way = folder.path().join("boxes");
    std::fs::write(&in_the_way, b"a file").expect("writable");
    let store = ReaderStore::start(Some(folder.path().to_owned()), || ()).expect("a thread");
    store.save_boxes(boxes_file(vec![a_box(1.0)])).expect("room");
    assert!(matches!(event(&store), StoreEvent::NotSaved(_)));
    std::thread::sleep(Duration::from_millis(2500));
    assert!(store.poll().is_none(), "told once");
    std::fs::remove_file(&in_the_way).expect("removed");
    assert!(matches!(event(&store), StoreEvent::SavedAfterAll));
    drop(store);
    let store = ReaderStore::start(Some(folder.path().to_owned()), || ()).expect("a thread");
    assert_eq!(work_on(&store, "1.2.3", 'a').boxes, [a_box(1.0)]);
}

/// Two windows on one series: each saves its own changes, and both stand on the disk.
#[test]
fn what_two_windows_change_is_all_on_the_disk() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let start = || ReaderStore::start(Some(folder.path().to_owned()), || ()).expect("a thread");
    let [one, other] = [start(), start()];
    for store in [&one, &other] {
        assert!(work_on(store, "1.2.3", 'a').review.is_none());
    }
    let graded = review(|review| review.set_class(DiscLevel::L4L5, Grading::Pfirrmann, Some(3)));
    one.save_review(graded.clone()).expect("room");
    // Saved before the other looks.
    assert_eq!(work_on(&one, "1.2.3", 'a').review, Some(graded));
    other.save_review(review(|review| review.set_comment(DiscLevel::L5S1, "seen"))).expect("room");
    let StoreEvent::Joined { ours, joined: JoinedWork::Review(joined) } = event(&other) else { panic!("joined") };
    assert!(String::from_utf8(ours).expect("text").contains("seen"));
    let both = |review: &Review| {
        let grade = review.class_of(DiscLevel::L4L5, Grading::Pfirrmann);
        (grade, review.comment_of(DiscLevel::L5S1) == "seen")
    };
    assert_eq!(both(&joined.review), (Some(3), true));
    // The window that takes it in saves it as its own, and may take away what the other one did.
    other.save_review(joined.clone()).expect("room");
    assert_eq!(work_on(&other, "1.2.3", 'a').review, Some(joined));
    other.save_review(review(|review| review.set_comment(DiscLevel::L5S1, "seen"))).expect("room");
    let saved = work_on(&other, "1.2.3", 'a').review.expect("saved").review;
    assert_eq!(both(&saved), (None, true));
    // Boxes, too.
    one.save_boxes(boxes_file(vec![a_box(1.0)])).expect("room");
    assert_eq!(work_on(&one, "1.2.3", 'a').boxes.len(), 1);
    let elsewhere = SliceBox { slice: 7, ..a_box(4.0) };
    other.save_boxes(boxes_file(vec![elsewhere.clone()])).expect("room");
    assert!(matches!(event(&other), StoreEvent::Joined { joined: JoinedWork::Boxes(_), .. }));
    drop(other);
    assert_eq!(work_on(&one, "1.2.3", 'a').boxes, [a_box(1.0), elsewhere]);
}
