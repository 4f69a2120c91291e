//! `fall-line bench` over the ranks of a job: a table of strong and weak scaling, or JSON.

use std::process::ExitCode;
use std::time::Duration;

use fall_line::atomic;
use fall_line::bench::machine::Machine;
use fall_line::bench::over_ranks::{self, RankScaling, RanksPlan, Row};
use fall_line::bench::{Figure, MODEL};
use fall_line::engine::gpu::adapter::Info;
use fall_line::engine::{Choice, Chosen, Storage, choose};
use fall_line::error::{Error, Setting, counted};
use fall_line::model::Model;
use fall_line::ranks::gather_values;
use fall_line::saved;
use serde::{Deserialize, Serialize};

use super::export::{self, Head};
use super::report::progress;
use super::{draw, sentences, sizes, tuned};
use crate::cli::{Bench, Format};
use crate::commands::ranks::Team;
use crate::commands::{set_threads, watch};
use crate::output::interrupts::Interrupts;
use crate::output::{self, line, lines, number};

/// Name of the format. It changes when a field changes its meaning or is removed, not when one is added.
const SCHEMA: &str = "fall-line bench over ranks 1";

/// The sizes that are timed by default.
const SAMPLES: [u64; 2] = [1_000_000, 10_000_000];

/// The JSON. Times are in seconds. An unknown value is null.
#[derive(Serialize)]
struct Document {
    #[serde(flatten)]
    head: Head,
    /// The machine of the first rank.
    machine: Machine,
    /// The library of MPI, with its version.
    library: Option<String>,
    /// The places of the ranks, in their order.
    ranks: Vec<Place>,
    settings: Settings,
    /// Results of a number of ranks at one size each, in the order they were run.
    rows: Vec<Row>,
    /// Reasons to doubt the figures.
    warnings: Vec<String>,
}

/// The place of a rank.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Place {
    host: String,
    /// The adapters, or the threads of the CPU engine.
    engine: String,
    software: bool,
    /// Number of cores of the machine.
    cores: usize,
}

/// Settings of the run.
#[derive(Serialize)]
struct Settings {
    samples: Vec<u64>,
    loss: &'static str,
    /// δ of huber, or τ of quantile.
    loss_parameter: Option<f64>,
    seed: u64,
    generator: &'static str,
    storage: Storage,
    /// Number of rounds.
    runs: usize,
    min_time_seconds: f64,
    /// The line at which every epoch is computed.
    model: Model,
}

/// Times epochs over 1, 2, 4 and more ranks, up to all, reports each result, and writes the file.
pub fn bench(args: &Bench, team: &Team) -> Result<ExitCode, Error> {
    let choice = args.engine_of_ranks()?;
    if team.is_first() {
        export::check_files(&args.files)?;
    }
    let plan = plan(args, team, choice)?;
    let places = gather_values(team.ranks(), place(&plan, team))?;
    let machine = Machine {
        cores: Machine::all_cores(),
        ..Machine::here()
    };
    let mut warnings: Vec<String> = machine.busy().into_iter().collect();
    warnings.extend(doubts(&places));
    let prints = args.files.format == Format::Text;
    if prints {
        lines(headline(&machine, &places, team, args, &plan))?;
        line("")?;
        line(TITLES)?;
    }
    warnings.iter().for_each(output::warning);
    let interrupts = Interrupts::listen()?;
    interrupts.exit_on_next();
    let mut rows = Vec::new();
    over_ranks::run(
        &plan,
        &|samples| draw(args, samples),
        &progress,
        &mut |size| {
            if prints {
                lines(size.iter().map(text))?;
                lines(troubles(&size))?;
                line("")?;
            }
            rows.extend(size);
            Ok(())
        },
    )?;
    if prints {
        lines(LEGEND)?;
    }
    let vague = sentences::vague(rows.iter().filter_map(|row| {
        let (size, ranks) = (
            number::count(row.samples),
            counted(row.ranks as u64, "rank"),
        );
        let what = match row.scaling {
            RankScaling::Alone => format!("{ranks} at {size}"),
            RankScaling::Strong => format!("{ranks} at {size} (strong)"),
            RankScaling::Weak => format!("{ranks} at {size} (weak)"),
        };
        Some((row.epoch_seconds?, what))
    }));
    vague.iter().for_each(output::warning);
    warnings.extend(vague);
    let document = Document {
        head: Head {
            schema: SCHEMA,
            ..Head::now()
        },
        machine,
        library: team.library(),
        ranks: places,
        settings: Settings::new(args, plan),
        rows,
        warnings,
    };
    let json = serde_json::to_string_pretty(&document).map_err(saved::cannot_write)?;
    if !prints {
        output::stdout(&json)?;
    }
    let path = args.files.export_json.as_deref();
    if let Some(path) = path.filter(|_| team.is_first()) {
        atomic::write(path, |out| writeln!(out, "{json}"))?;
        output::written(vec![Ok(path)], false);
    }
    over_ranks::verdict(&document.rows)?;
    Ok(ExitCode::SUCCESS)
}

impl Settings {
    fn new(args: &Bench, plan: RanksPlan) -> Self {
        Settings {
            samples: plan.samples,
            loss: plan.loss.name(),
            loss_parameter: plan.loss.parameter(),
            seed: args.seed,
            generator: args.generator.name(),
            storage: plan.storage,
            runs: plan.runs,
            min_time_seconds: plan.min_time.as_secs_f64(),
            model: MODEL,
        }
    }
}

/// Chooses the engine of this rank as `train` does, and measures the tuning of its adapters.
fn plan<'a>(args: &Bench, team: &'a Team, choice: Choice) -> Result<RanksPlan<'a>, Error> {
    let loss = args.loss.get()?;
    set_threads(team.threads(args.threads))?;
    let named = (!args.adapter.is_empty()).then(|| args.adapter.join(","));
    watch(choice)?;
    let engine = team.engine(choose(choice, named.as_deref())?, named.is_some())?;
    let samples = sizes(args, &SAMPLES);
    let largest = samples.last().copied().unwrap_or_default();
    let tune = !args.on_gpu.no_tune;
    let adapters = match engine {
        Chosen::Cpu { .. } if args.on_gpu.storage == Storage::F16 => {
            return Err(Error::NoGpuEngine(Setting::Storage));
        }
        Chosen::Cpu { .. } => Vec::new(),
        Chosen::Gpu(adapters) => tuned(adapters, tune.then_some(largest)),
    };
    Ok(RanksPlan {
        ranks: team.ranks(),
        hosts: team.hosts(),
        adapters,
        storage: args.on_gpu.storage,
        loss,
        samples,
        runs: args.runs.into(),
        min_time: args.min_time,
    })
}

/// Returns where this rank runs, and on what.
fn place(plan: &RanksPlan, team: &Team) -> Place {
    let infos = || plan.adapters.iter().map(|(adapter, _)| adapter.info());
    let mut engine = infos().map(Info::to_string).collect::<Vec<_>>().join(" + ");
    if plan.adapters.is_empty() {
        let threads = rayon::current_num_threads() as u64;
        engine = format!("cpu ({})", counted(threads, "thread"));
    }
    let host = team.hosts().get(team.ranks().rank()).cloned();
    Place {
        host: host.unwrap_or_default(),
        engine,
        software: infos().any(|info| info.software),
        cores: Machine::all_cores(),
    }
}

/// Returns the reasons to doubt figures that the places of the ranks give.
fn doubts(places: &[Place]) -> Vec<String> {
    let mut doubts = Vec::new();
    let here = |place: &Place| {
        places
            .iter()
            .filter(|other| other.host == place.host)
            .count()
    };
    if let Some(place) = places.iter().find(|place| here(place) > place.cores) {
        doubts.push(format!(
            "{} ranks on {} outnumber its {}: they wait for each other, and the efficiency says nothing",
            here(place),
            place.host,
            counted(place.cores as u64, "core"),
        ));
    }
    if places.iter().any(|place| place.software) {
        doubts.push("software adapters: their times say nothing about GPU speed".to_owned());
    }
    doubts
}

/// Returns the lines that say what runs on what.
fn headline(
    machine: &Machine,
    places: &[Place],
    team: &Team,
    args: &Bench,
    plan: &RanksPlan,
) -> Vec<String> {
    let mut hosts: Vec<&str> = places.iter().map(|place| place.host.as_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    let mut ranks = format!(
        "ranks:   {} on {}",
        places.len(),
        counted(hosts.len() as u64, "machine")
    );
    if let Some(library) = team.library() {
        ranks = format!("{ranks}, {library}");
    }
    let mut lines = vec![sentences::machine(machine), ranks];
    for (at, place) in places.iter().enumerate() {
        if places[..at].iter().all(|before| before != place) {
            let like_it = places.iter().filter(|other| *other == place).count() as u64;
            lines.push(format!(
                "         {} on {}: {}",
                counted(like_it, "rank"),
                place.host,
                place.engine
            ));
        }
    }
    lines.push(format!(
        "epoch:   {} at w = {}, b = {}; {}, seed {}",
        plan.loss,
        MODEL.w,
        MODEL.b,
        args.generator.name(),
        args.seed
    ));
    let time = number::time(plan.min_time);
    lines.push(format!(
        "rounds:  {} of all cases in turns, {time} a case",
        plan.runs
    ));
    lines
}

/// The titles of the columns.
const TITLES: &str =
    "samples  scaling  ranks  epoch           alone    gather   off model  efficiency";

const LEGEND: [&str; 6] = [
    "scaling    strong: the samples are shared out over the ranks; weak: each rank has as many",
    "epoch      time from the model to the sums on all ranks, ± the furthest quartile of a round",
    "alone      time of the slowest rank's own epoch, without a gather",
    "gather     time of a gather of all ranks without an epoch",
    "off model  distance of the epoch from what --plan --ranks computes: the speed of one rank, and the gather",
    "efficiency time of one rank divided by that of the ranks, and in strong scaling by their number",
];

/// Returns a row of the table.
fn text(row: &Row) -> String {
    let time = |figure: Option<Figure>| match figure {
        Some(figure) => number::time(Duration::from_secs_f64(figure.median)),
        None => "–".to_owned(),
    };
    let scaling = match row.scaling {
        RankScaling::Alone => "–",
        RankScaling::Strong => "strong",
        RankScaling::Weak => "weak",
    };
    let epoch = row.epoch_seconds.map_or("–".to_owned(), number::ranged);
    let off = row
        .off_model
        .map_or("–".to_owned(), |off| format!("{:+.0} %", 100.0 * off));
    let efficiency = row.efficiency.map_or("–".to_owned(), |figure| {
        format!(
            "{:.0} ± {:.0} %",
            100.0 * figure.median,
            100.0 * figure.plus_minus()
        )
    });
    format!(
        "{:<7}  {scaling:<7}  {:>5}  {epoch:<14}  {:<7}  {:<7}  {off:<9}  {efficiency}",
        number::count(row.samples),
        row.ranks,
        time(row.own_seconds),
        time(row.gather_seconds),
    )
}

/// Returns what is wrong with the rows of a size, each once.
fn troubles(rows: &[Row]) -> Vec<String> {
    let mut lines = Vec::new();
    for row in rows {
        let trouble = match (&row.disagreement, &row.withheld) {
            (Some(how), _) => format!("  {} ranks disagree, and are not timed: {how}", row.ranks),
            (None, Some(why)) => format!("  efficiency is not told: {why}"),
            (None, None) => continue,
        };
        if !lines.contains(&trouble) {
            lines.push(trouble);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_beyond_the_cores_of_a_machine_are_a_doubt() {
        let place = |host: &str, software| Place {
            host: host.to_owned(),
            engine: "cpu (1 thread)".to_owned(),
            software,
            cores: 2,
        };
        let [a, b] = ["a", "b"].map(|host| place(host, false));
        assert!(doubts(&[a.clone(), b.clone(), a.clone(), b.clone()]).is_empty());
        let doubts_of_three = doubts(&[a.clone(), b.clone(), b.clone(), b]);
        assert_eq!(doubts_of_three.len(), 1);
        assert!(doubts_of_three[0].contains("3 ranks on b outnumber its 2 cores"));
        assert_eq!(doubts(&[a, place("c", true)]).len(), 1);
    }
}
