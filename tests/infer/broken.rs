//! What is broken, hostile or no image at all: each is told once, and the rest is done.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::process::Command;

use serde_json::{Value, json};

use crate::user::User;
use tritondeploy_support::world::{BUCKET, World};

const PHOTO: &[u8] = include_bytes!("../../assets/cat.png");

/// A folder with one of everything that goes wrong.
pub(crate) fn a_folder_of_broken_files(user: &User, picture: &[u8]) {
    let folder = user.path("broken");
    user.write("broken/a good.bmp", picture);
    user.write("broken/truncated.png", &PHOTO[..PHOTO.len() / 2]);
    user.write("broken/empty.jpg", b"");
    user.write("broken/text.jpg", b"#EXTM3U\nfile:///etc/passwd\n");
    user.write("broken/notes.txt", b"these are no images");
    user.write("broken/folder.jpg/inside.bmp", picture);
    assert!(Command::new("mkfifo").arg(folder.join("pipe.jpg")).status().unwrap().success());
    let _socket = UnixListener::bind(folder.join("socket.jpg")).unwrap();
    symlink("/dev/zero", folder.join("device.jpg")).unwrap();
    symlink("nowhere", folder.join("dangling.jpg")).unwrap();
    // Root reads everything but this: a regular file, whose first bytes are an error.
    symlink("/proc/self/mem", folder.join("unreadable.jpg")).unwrap();
    symlink(".", folder.join("loop")).unwrap();
    symlink("..", folder.join("folder.jpg/loop")).unwrap();
    // It has no end for who reads it, and takes no room.
    let huge = std::fs::File::create(folder.join("huge.jpg")).unwrap();
    std::io::Write::write_all(&mut &huge, b"\xff\xd8\xff").unwrap();
    huge.set_len(1 << 40).unwrap();

    let ran = user.infer(&["broken", "--model", crate::folders::MODEL, "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let rows: Vec<(String, String)> = user.csv().into_iter().skip(1).map(|row| (row[0].clone(), row[1].clone())).collect();
    let errors = ["dangling.jpg", "empty.jpg"].map(|name| (format!("broken/{name}"), "error".to_owned()));
    let wanted: Vec<(String, String)> = [
        &[("broken/a good.bmp".to_owned(), "success".to_owned())],
        &errors[..],
        &[("broken/folder.jpg/inside.bmp".to_owned(), "success".to_owned())],
        &["huge.jpg", "text.jpg", "truncated.png", "unreadable.jpg"].map(|name| (format!("broken/{name}"), "error".to_owned())),
    ]
    .concat();
    assert_eq!(rows, wanted);
    let end = ran.json();
    let skipped = json!({"neither image nor video": 1, "no regular file": 3, "reached before by another link": 2});
    assert_eq!((&end["skipped"], &end["failed"]), (&skipped, &6.into()), "{end}");
    let errors = json!({"too_large": 1, "unreadable": 2, "unsupported_image": 3});
    assert_eq!(end["errors"], errors, "{end}");
    let why = |name: &str| {
        let lines = ran.out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let said: Vec<Value> = lines.filter(|line| line["image"] == format!("broken/{name}")).collect();
        assert_eq!(said.len(), 1, "{name}: {said:?}");
        said[0]["error"]["message"].as_str().unwrap().to_owned()
    };
    assert!(why("empty.jpg").contains("empty") && why("text.jpg").contains("no image"));
    assert!(why("huge.jpg").contains("1099511627776 bytes; the server takes"), "{}", why("huge.jpg"));
    assert!(why("unreadable.jpg").contains("cannot be read"), "{}", why("unreadable.jpg"));
}

/// Names that a table, a terminal or a path could stumble over.
const NAMES: [&str; 9] =
    ["=1+1.bmp", "+a.bmp", "-a.bmp", "@a.bmp", "a,b\"c\".bmp", "a\nb\r\nc.bmp", "a..bmp", "\u{732b} e\u{301}%+.bmp", "\t=a.bmp"];

pub(crate) async fn hostile_names(world: &World, user: &User, picture: &[u8]) {
    for name in NAMES {
        user.write(format!("hostile/{name}"), picture);
    }
    // The local AWS knows no line ends in keys.
    let names = || NAMES.iter().filter(|name| !name.contains('\n'));
    for name in names() {
        world.put(&format!("images/hostile/{name}"), picture).await;
    }
    world.put("=top,level.bmp", picture).await;
    std::fs::write(user.path("hostile").join(OsStr::from_bytes(b"\xff.bmp")), picture).unwrap();
    let mut keys: Vec<String> = names().map(|name| format!("images/hostile/{name}")).collect();
    keys.sort();

    // Of the bucket: byte for byte, in S3's order. What the gateway may not read is told, and stays harmless.
    let user_of_keys = User::of(world);
    let sources = [format!("s3://{BUCKET}/images/hostile/"), format!("s3://{BUCKET}/=top")];
    let ran = user_of_keys.infer(&[&*sources[0], &sources[1], "--model", crate::folders::MODEL]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let rows = user_of_keys.csv();
    let told: Vec<&str> = rows[1..].iter().map(|row| &*row[0]).collect();
    keys.push(format!("s3://{BUCKET}/=top,level.bmp"));
    assert_eq!(told, keys);
    assert!(rows[1..keys.len()].iter().all(|row| row[1] == "success"), "{rows:?}");
    assert!(ran.err.contains("The gateway reads only images/ and temp_frames/"), "{ran:?}");

    // Of a folder, from inside it, where names begin with what a spreadsheet runs.
    let mut command = user.command(&["*.bmp", "--model", crate::folders::MODEL, "--output", ".."]);
    let ran = crate::user::finish(command.current_dir(user.path("hostile")).spawn().unwrap());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let rows = user.csv();
    let mut told: Vec<String> = rows[1..].iter().map(|row| row[0].clone()).collect();
    let last = told.pop().unwrap();
    assert!(last.starts_with("file:///") && last.ends_with("/hostile/%FF.bmp"), "{last}");
    let formula = |name: &str| name.starts_with(['=', '+', '-', '@', '\t']);
    let mut wanted: Vec<String> = NAMES.map(|name| if formula(name) { format!("./{name}") } else { name.to_owned() }).to_vec();
    told.sort();
    wanted.sort();
    assert_eq!(told, wanted);
    for path in told {
        assert!(user.path("hostile").join(&path).is_file(), "{path} names the file no more");
    }
}
