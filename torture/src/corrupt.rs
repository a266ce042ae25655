//! Damages every file of a data directory, one after the other, and looks at how the cloud takes it.
//!
//! It must say what is wrong and not serve, or serve and never give wrong bytes as if they were right: what cannot be
//! read is an error of the server's, and the rest can be read. It must not panic.

use std::fs::{self, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use http::Method;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::client::{Client, Outcome};
use crate::lanes::objects::body;
use crate::server::{Launch, Started};

const BUCKET: &str = "/corrupt";
/// Sizes of objects: in rows, in a segment, in files of their own.
const SIZES: [usize; 8] = [10, 3000, 16_000, 20_000, 100_000, 1 << 20, 5 << 20, 6 << 20];

/// How a file is damaged.
#[derive(Clone, Copy, Debug)]
enum Damage {
    Flip,
    Truncate,
    Zero,
    Remove,
}

/// What came of it.
#[derive(Clone, Debug, Default)]
pub struct Corrupted {
    /// Damages that were done.
    pub damages: u64,
    /// How often the cloud refused to start.
    pub refused: u64,
    /// How often it started and could not give some of the objects.
    pub served_in_part: u64,
    /// How often nothing that was asked for was affected.
    pub unharmed: u64,
    /// What went wrong.
    pub failures: Vec<String>,
    /// What it said when it refused to start, the first words of each.
    pub messages: Vec<String>,
}

/// Fills a directory with `launch`, then damages copies of it.
pub async fn corrupt(launch: &Launch, seed: u64, most: usize) -> anyhow::Result<Corrupted> {
    let whole = launch.data.with_extension("whole");
    let mut random = StdRng::seed_from_u64(seed);
    fill(launch).await?;
    let _ = fs::remove_dir_all(&whole);
    fs::rename(&launch.data, &whole)?;
    let mut files = Vec::new();
    list(&whole, &mut files)?;
    let mut report = Corrupted::default();
    let mut cases: Vec<(PathBuf, Damage)> = files
        .iter()
        .flat_map(|file| {
            [Damage::Flip, Damage::Truncate, Damage::Zero, Damage::Remove]
                .map(|damage| (file.clone(), damage))
        })
        .collect();
    while cases.len() > most {
        cases.remove(random.random_range(0..cases.len()));
    }
    for (file, damage) in cases {
        let _ = fs::remove_dir_all(&launch.data);
        copy(&whole, &launch.data)?;
        let name = file.strip_prefix(&whole)?;
        harm(&launch.data.join(name), damage, &mut random)?;
        report.damages += 1;
        let found = look(launch, &mut report).await;
        if let Err(error) = found {
            report.failures.push(format!("{damage:?} of {}: {error:#}", name.display()));
        }
    }
    fs::remove_dir_all(&whole)?;
    let _ = fs::remove_dir_all(&launch.data);
    Ok(report)
}

async fn fill(launch: &Launch) -> anyhow::Result<()> {
    fs::create_dir_all(&launch.data)?;
    let Started::Ready(server) = launch.start(None)? else { bail!("it does not start") };
    let client = server.client();
    client.s3(Method::PUT, BUCKET, "", Bytes::new()).await.success()?;
    for (number, size) in SIZES.into_iter().enumerate() {
        let bytes = Bytes::from(body(number as u64, size));
        client.s3(Method::PUT, &path(number), "", bytes).await.success()?;
    }
    server.kill()?;
    Ok(())
}

fn path(number: usize) -> String {
    format!("{BUCKET}/object-{number}")
}

/// Starts it upon the damage and reads everything.
async fn look(launch: &Launch, report: &mut Corrupted) -> anyhow::Result<()> {
    let server = match launch.start(None)? {
        Started::Ready(server) => server,
        Started::Ended(_, lines) => {
            report.refused += 1;
            let text = lines.join("\n");
            ensure!(!text.contains("panicked"), "it panicked:\n{text}");
            let directory = launch.data.display().to_string();
            ensure!(text.contains(&directory), "it does not say where the damage is:\n{text}");
            report.messages.push(lines.last().cloned().unwrap_or_default());
            return Ok(());
        }
    };
    let client = server.client();
    let mut lost = 0;
    let mut outcome = Ok(());
    for number in 0..SIZES.len() {
        match read(&client, number).await {
            Ok(true) => {}
            Ok(false) => lost += 1,
            Err(error) => outcome = Err(error),
        }
    }
    let text = server.kill()?.join("\n");
    outcome?;
    ensure!(!text.contains("panicked"), "it panicked:\n{text}");
    if lost > 0 {
        report.served_in_part += 1;
        ensure!(
            text.contains("ERROR") || text.contains("WARN"),
            "it lost {lost} objects and its log does not say so:\n{text}"
        );
    } else {
        report.unharmed += 1;
    }
    Ok(())
}

/// Whether an object can be read; an error if it is read wrongly.
async fn read(client: &Client, number: usize) -> anyhow::Result<bool> {
    match client.s3(Method::GET, &path(number), "", Bytes::new()).await {
        Outcome::Answered(answer) if answer.status == 200 => {
            let expected = body(number as u64, SIZES[number]);
            ensure!(answer.body == expected, "the object {number} has wrong bytes and status 200");
            Ok(true)
        }
        // The row is lost, with the rest of a damaged journal: the log must say so.
        Outcome::Answered(answer) if answer.status == 404 => Ok(false),
        Outcome::Answered(answer) => bail!("status {}: {}", answer.status, answer.text()),
        Outcome::Failed(_) | Outcome::Lost(_) => Ok(false),
    }
}

fn harm(path: &Path, damage: Damage, random: &mut StdRng) -> anyhow::Result<()> {
    let failed = || format!("damaging {}", path.display());
    if matches!(damage, Damage::Remove) {
        return fs::remove_file(path).with_context(failed);
    }
    let file = OpenOptions::new().read(true).write(true).open(path).with_context(failed)?;
    // What follows the data in a file that was made longer ahead of need says nothing.
    let len = used(&file)?;
    match damage {
        Damage::Flip if len > 0 => {
            let at = random.random_range(0..len);
            let mut byte = [0];
            file.read_exact_at(&mut byte, at)?;
            byte[0] ^= 1 << random.random_range(0..8);
            file.write_all_at(&byte, at)?;
        }
        Damage::Truncate => file.set_len(len / 2)?,
        Damage::Zero => {
            let at = random.random_range(0..len.max(1));
            let zeros = (len - at).min(4096) as usize;
            file.write_all_at(&vec![0; zeros], at)?;
        }
        _ => {}
    }
    Ok(())
}

/// The length without the zeros at the end.
fn used(file: &fs::File) -> anyhow::Result<u64> {
    let mut len = file.metadata()?.len();
    let mut block = vec![0; 1 << 16];
    while len > 0 {
        let start = len.saturating_sub(block.len() as u64);
        let part = &mut block[..(len - start) as usize];
        file.read_exact_at(part, start)?;
        if let Some(last) = part.iter().rposition(|byte| *byte != 0) {
            return Ok(start + last as u64 + 1);
        }
        len = start;
    }
    Ok(0)
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) -> anyhow::Result<()> {
    let mut entries: Vec<_> = fs::read_dir(folder)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let data = entry.metadata()?;
        if data.is_dir() {
            list(&entry.path(), files)?;
        } else if data.is_file() && data.len() > 0 {
            files.push(entry.path());
        }
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let done = std::process::Command::new("cp")
        .args(["-a", "--sparse=always"])
        .args([from, to])
        .status()?;
    ensure!(done.success(), "cp failed");
    Ok(())
}
