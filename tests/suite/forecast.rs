//! The model of a fit over ranks: `--plan --ranks` prints what it gives, and docs/cluster.md has its tables.

use std::fs;
use std::path::Path;

use fall_line::engine::forecast::{Forecast, Gather, Speeds};
use serde_json::Value;

use crate::common::program::{json, ran, refused};

/// Returns a row of a Markdown table.
fn row(cells: impl IntoIterator<Item = String>) -> String {
    let cells: Vec<String> = cells.into_iter().collect();
    format!("| {} |\n", cells.join(" | "))
}

/// Returns a time with two digits in the unit that it reads best in.
fn time(seconds: f64) -> String {
    let units = [
        (86_400.0, "d"),
        (3600.0, "h"),
        (60.0, "min"),
        (1.0, "s"),
        (1e-3, "ms"),
        (1e-6, "µs"),
    ];
    let (unit, name) = *units
        .iter()
        .find(|(unit, _)| seconds >= 0.995 * unit)
        .unwrap();
    let value = seconds / unit;
    if value < 9.95 {
        format!("{value:.1} {name}")
    } else {
        format!("{value:.0} {name}")
    }
}

fn grouped(number: u64) -> String {
    fall_line::error::grouped(number)
}

/// What the tables are computed for.
struct Device {
    speeds: Speeds,
    gather: Gather,
    /// Samples that a rank has room for; none are streamed beyond.
    room: Option<u64>,
}

const DEVICES: [u64; 4] = [1, 10, 100, 1000];

/// Returns a table: for each number of samples the epoch and the fit of 100 epochs on each number of devices, and where it stops
/// to scale.
fn table(device: &Device) -> String {
    let mut text = row(["samples".to_owned()]
        .into_iter()
        .chain(DEVICES.map(grouped))
        .chain(["gather is half from".to_owned()]));
    text += &format!("|{}\n", "---|".repeat(DEVICES.len() + 2));
    for exponent in 9..=13 {
        let samples = 10_u64.pow(exponent);
        let on = |devices| Forecast::new(device.speeds, device.gather, samples, devices, 100);
        let cell = |devices| {
            let forecast = on(devices);
            if device
                .room
                .is_some_and(|room| forecast.samples_of_rank > room)
            {
                return "no room".to_owned();
            }
            let resident = device.speeds.resident.unwrap_or(u64::MAX);
            let streamed = if forecast.samples_of_rank > resident {
                " \\*"
            } else {
                ""
            };
            format!(
                "{}, {}{streamed}",
                time(forecast.epoch_seconds),
                time(forecast.fit_seconds)
            )
        };
        let half = on(1).half_at.map_or("–".to_owned(), grouped);
        text += &row([format!("1e{exponent}")]
            .into_iter()
            .chain(DEVICES.map(cell))
            .chain([half]));
    }
    text
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The CPU engine and the gather as `bench` measured them under `mpirun`.
fn measured(results: &Value) -> Device {
    let rows = results["rows"].as_array().unwrap();
    let size = rows
        .iter()
        .map(|row| row["samples"].as_u64().unwrap())
        .max()
        .unwrap();
    let find = |scaling: &str| {
        let is_it = |row: &&Value| row["scaling"] == scaling && row["samples"] == size;
        rows.iter().find(is_it).unwrap()
    };
    let seconds = |row: &Value, name: &str| row[name]["median"].as_f64().unwrap();
    let (alone, strong) = (find("alone"), find("strong"));
    assert_eq!(strong["ranks"], 2);
    Device {
        speeds: Speeds {
            epoch: size as f64 / seconds(alone, "epoch_seconds"),
            load: Some(size as f64 / seconds(alone, "load_seconds")),
            resident: None,
        },
        gather: Gather::Network {
            latency: seconds(strong, "gather_seconds"),
            bandwidth: 1.25e9,
        },
        room: Some(results["machine"]["memory_bytes"].as_u64().unwrap() / 8),
    }
}

/// An H100 by its published bandwidths: nothing of it was measured.
const H100: Device = Device {
    speeds: Speeds {
        epoch: 3.35e12 / 8.0,
        load: Some(64e9 / 8.0),
        resident: Some(10 << 30),
    },
    gather: Gather::UNKNOWN,
    room: None,
};

#[test]
fn the_page_has_the_tables_of_the_model() {
    let page = read("docs/cluster.md");
    let results: Value =
        serde_json::from_str(&read("benches/results/epyc-2-cores-ranks.json")).unwrap();
    for table in [table(&measured(&results)), table(&H100)] {
        assert!(
            page.contains(&table),
            "docs/cluster.md lacks this table:\n{table}"
        );
    }
}

/// Returns what the library's model gives with the inputs that a plan tells.
fn computed(plan: &Value, ranks: u64, gather: Gather) -> Value {
    let over = &plan["over_ranks"];
    let speeds = Speeds {
        epoch: over["speeds"]["epoch"].as_f64().unwrap(),
        load: over["speeds"]["load"].as_f64(),
        resident: over["speeds"]["resident"].as_u64(),
    };
    let samples = plan["samples"].as_u64().unwrap();
    let epochs = over["epochs"].as_u64().unwrap();
    let text =
        serde_json::to_string(&Forecast::new(speeds, gather, samples, ranks, epochs)).unwrap();
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_plan_tells_what_the_model_gives_and_from_what() {
    let plan = json("train --samples 1e8 --engine cpu --epochs 70 --plan --ranks 64 --format json");
    let over = &plan["over_ranks"];
    assert_eq!(over["forecast"], computed(&plan, 64, Gather::UNKNOWN));
    // 1,526 blocks of 65,536: 24 of them a rank at most.
    assert_eq!(over["forecast"]["samples_of_rank"], 24 * 65_536);
    assert_eq!(over["memory"]["cpu"]["bytes"], 24 * 65_536 * 8);
    assert_eq!(
        (&over["fits"], &over["epochs"]),
        (&Value::Bool(true), &70.into())
    );
    assert_eq!(over["epoch_from"]["measured"], 24 * 65_536);
    assert_eq!(over["assumed_upload"], Value::Null);
    for speed in ["epoch", "load"] {
        assert!(over["speeds"][speed].as_f64().unwrap() > 1e5, "{over}");
    }
    let plan =
        json("train --samples 1e12 --engine cpu --plan --ranks 1000 --gather 20us --format json");
    assert_eq!(
        plan["over_ranks"]["forecast"],
        computed(&plan, 1000, Gather::Given(20e-6))
    );
    assert_eq!(plan["over_ranks"]["forecast"]["gather_seconds"], 20e-6);
    assert_eq!(plan["fits"], false);

    let alone = json("train --samples 1e6 --engine cpu --plan --format json");
    assert!(alone.get("over_ranks").is_none());
    // A statistics pass over a file tells how fast it is read.
    let cars = "train tests/data/cars.csv --x speed --y dist --engine cpu --plan --ranks 2";
    let plan = json(&format!("{cars} --format json"));
    assert_eq!(plan["over_ranks"]["with_samples"], 1);
    assert!(ran(cars).contains("1 of them without samples"));
}

#[test]
fn a_plan_says_what_is_measured_and_what_is_assumed() {
    let text = ran("train --samples 1e7 --engine cpu --plan --ranks 4");
    for part in [
        "ranks:  4, each like this one: 2,555,904 samples a rank, 20.45 MB, which fit",
        "measured here on 2,555,904 samples",
        "gather: 100µs, assumed: 50.0µs a doubling of the ranks",
        "on the gather takes half of an epoch",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("upload"), "{text}");
    let text = ran("train --samples 1e7 --engine cpu --plan --ranks 4 --gather 3ms");
    assert!(text.contains("gather: 3.00ms, as given"), "{text}");
    // Nobody has measured an adapter with another tuning, and none is opened for a plan.
    let text = ran("train --samples 1e7 --engine gpu --no-tune --plan --ranks 4");
    assert!(
        text.contains("speed is not measured yet") && !text.contains("model:"),
        "{text}"
    );
    // A rank with two adapters has its samples on both.
    let two = json("train --samples 1e7 --adapter 0,0 --no-tune --plan --ranks 4 --format json");
    let parts = two["over_ranks"]["memory"]["gpus"].as_array().unwrap();
    let samples = |part: &Value| part["placement"]["resident"].as_u64().unwrap();
    assert_eq!(parts.len(), 2);
    assert_eq!(parts.iter().map(samples).sum::<u64>(), 2_555_904);
    for args in [
        "--ranks 2",
        "--plan --gather 1ms",
        "--plan --ranks 0",
        "--plan --ranks 2 --gather 0s",
    ] {
        refused(2, &format!("train --samples 1e5 {args}"));
    }
}
