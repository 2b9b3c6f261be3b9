//! The demo's story, told by the real binary.

use crate::folder::Folder;

#[test]
fn the_story_comes_out_as_told() {
    let output = Folder::new().run(&["demo", "--once"]);
    assert!(output.starts_with("exit 0\n"), "{output}");
    assert!(output.contains("All came out as told"), "{output}");
    for part in ["keep-the-board", "contractors-never-delete", "token.expired", "token.lifetime"] {
        assert!(output.contains(part), "{part} in {output}");
    }
}
