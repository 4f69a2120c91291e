//! The data set and the engine that were asked for.

use std::io;
use std::path::Path;

use fall_line::atomic;
use fall_line::data::Source;
use fall_line::data::numpy::Numpy;
use fall_line::data::statistics::Statistics;
use fall_line::data::synthetic::{self, ChaCha, Recipe};
use fall_line::data::threefry::Threefry;
use fall_line::engine::cpu::CpuEngine;
use fall_line::engine::gpu::adapter::Adapter;
use fall_line::engine::gpu::plan::plan;
use fall_line::engine::gpu::stream::Streamed;
use fall_line::engine::gpu::tuning::{Tuning, cache};
use fall_line::engine::gpu::{GpuEngine, Options};
use fall_line::engine::{Chosen, Description, Engine, cpu, gpu};
use fall_line::error::Error;
use fall_line::loss::Loss;
use fall_line::model::Model;
use fall_line::table::rows::Skipped;
use fall_line::table::{self, OpenedFile, Request};

use crate::cli::{Columns, Generator, Train};
use crate::output::{self, progress::Progress};

/// What `train` is to fit.
pub struct Opened {
    pub source: Box<dyn Source>,
    /// The w and b that the seed draws to start from.
    pub start: Model,
    /// The names of the columns.
    pub x: String,
    pub y: String,
    /// What was left out of a file.
    pub skipped: Skipped,
    /// What synthetic samples are drawn around.
    pub true_line: Option<Model>,
}

/// The data set that was asked for.
pub fn open(args: &Train) -> Result<Opened, Error> {
    let quiet = args.output.quiet;
    if args.has_files() {
        let request = args.columns.request();
        let file = open_file(args.data.as_deref(), &args.columns, &request, quiet)?;
        return Ok(Opened {
            source: file.source,
            start: synthetic::start(args.synthetic.seed),
            x: file.x,
            y: file.y,
            skipped: file.skipped,
            true_line: None,
        });
    }
    let recipe = args.synthetic.recipe();
    let true_line = Model {
        w: recipe.slope,
        b: recipe.intercept,
    };
    let (source, start) = synthetic_source(args.synthetic.generator, recipe, quiet)?;
    Ok(Opened {
        source,
        start,
        x: "x".to_owned(),
        y: "y".to_owned(),
        skipped: Skipped::default(),
        true_line: Some(true_line),
    })
}

/// The columns of a file, or without `data` of files of their own, which the flags of the columns then name.
pub fn open_file(
    data: Option<&Path>,
    flags: &Columns,
    request: &Request,
    quiet: bool,
) -> Result<OpenedFile, Error> {
    let file = match data {
        Some(path) => {
            // Of a pipe the length is not known.
            let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
            let reading = Progress::new("reading bytes", bytes, quiet);
            table::open(path, request, &|n| reading.advance(n))?
        }
        None => open_pair(flags, request)?,
    };
    if let Some(text) = output::skipped(&file.skipped).filter(|_| !quiet) {
        output::notice(text);
    }
    Ok(file)
}

/// NPY files of one column each.
fn open_pair(flags: &Columns, request: &Request) -> Result<OpenedFile, Error> {
    let path = |flag: &str, given: &Option<String>| match given {
        Some(name) if atomic::ending(Path::new(name)) == "npy" => Ok(name.into()),
        Some(name) => Err(Error::Usage(format!(
            "--{flag} {name} is a column, and there is no DATA that it is of: name the file too, or give --{flag} an .npy \
             file of its own"
        ))),
        None => Err(Error::Usage(format!(
            "without DATA --x and --y are .npy files of their own, and --{flag} is missing"
        ))),
    };
    let x: std::path::PathBuf = path("x", &flags.x)?;
    let y: Option<std::path::PathBuf> = if flags.y.is_none() && request.x_alone {
        None
    } else {
        Some(path("y", &flags.y)?)
    };
    table::open_pair(&x, y.as_deref(), request.skip_bad)
}

/// Refuses an x that does not vary, and tells of a column that numbers of the engine's kind are too coarse for.
pub fn judge(args: &Train, opened: &Opened, statistics: &Statistics) -> Result<(), Error> {
    let x = &statistics.x;
    let [least, greatest] = match args.standardizes() {
        true => [x.least, x.greatest],
        false => [x.least, x.greatest].map(|end| f64::from(end as f32)),
    };
    if least == greatest {
        // From 2^53 on other integers may have been rounded to this one.
        let rounded = x.least.abs() >= 2.0 / f64::EPSILON;
        let digits = match (x.least == x.greatest, rounded) {
            (false, _) => ", to the digits of f32 (--standardize casts it later)",
            (true, true) => ", to the digits of f64",
            (true, false) => "",
        };
        return Err(Error::Data(format!(
            "{}: x is {:?} in every sample{digits}; a line needs an x that varies",
            opened.source.title(),
            x.least,
        )));
    }
    if !x.varies() {
        return Err(Error::Data(format!(
            "{}: x runs from {:?} to {:?}, too little for f64 to square: bring it to larger units",
            opened.source.title(),
            x.least,
            x.greatest,
        )));
    }
    for (name, column) in [(&opened.x, x), (&opened.y, &statistics.y)] {
        let (kind, step, cure) = match (column.coarse_in_f64(), column.coarse_in_f32()) {
            (Some(step), _) => ("f64", step, "subtract the least value from it in the file"),
            (None, Some(step)) if !args.standardizes() => ("f32", step, "--standardize keeps them"),
            _ => continue,
        };
        if !args.output.quiet {
            output::notice(format!(
                "warning: {name} runs from {:?} to {:?}, where {kind} has steps of {step:?}: the line lacks digits; {cure}",
                column.least, column.greatest,
            ));
        }
    }
    Ok(())
}

/// A synthetic data set, and the w and b that its seed draws to start from.
pub fn synthetic_source(
    generator: Generator,
    recipe: Recipe,
    quiet: bool,
) -> Result<(Box<dyn Source>, Model), Error> {
    let start = synthetic::start(recipe.seed);
    Ok(match generator {
        Generator::Chacha => (Box::new(ChaCha::new(recipe)?), start),
        Generator::Device => (Box::new(Threefry::new(recipe)?), start),
        Generator::Numpy => {
            let drawing = Progress::new("drawing", 2 * recipe.samples, quiet);
            let numpy = Numpy::new(recipe, &|n| drawing.advance(n))?;
            let start = numpy.start();
            (Box::new(numpy), start)
        }
    })
}

/// Starts the threads of reading and of the CPU engine, as many as cores where nobody says: before memory is short.
pub fn set_threads(threads: Option<usize>) -> Result<(), Error> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads.unwrap_or(0))
        .build_global()
        .map_err(|error| Error::Io {
            doing: match threads {
                Some(threads) => format!("cannot start {threads} threads"),
                None => "cannot start a thread a core (--threads 1 takes fewer)".to_owned(),
            },
            source: io::Error::other(error),
        })
}

/// An engine with all samples in it.
pub struct Loaded<'a> {
    pub engine: Box<dyn Engine + 'a>,
    /// What to call it.
    pub description: Description,
    /// What its last bits depend on beside the samples.
    pub identity: Identity,
}

/// Which engine it was, and how its sums were cut.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Identity {
    /// The adapter with its driver; `cpu`.
    pub name: String,
    pub storage: String,
    pub tuning: Option<Tuning>,
    /// Samples that stay in the adapter's memory.
    pub resident: u64,
}

/// Loads the chosen engine. `known` is how its sums were cut before, where a run goes on.
pub fn load<'a>(
    chosen: Chosen,
    source: &'a dyn Source,
    loss: Loss,
    args: &Train,
    batches: bool,
    known: Option<Tuning>,
) -> Result<Loaded<'a>, Error> {
    let quiet = args.output.quiet;
    let loading = Progress::new("loading", source.samples(), quiet);
    let on_load = |samples| loading.advance(samples);
    match chosen {
        Chosen::Gpu(adapter) => {
            let samples = source.samples();
            let no_tune = args.engine.on_gpu.no_tune;
            let measured = || tuning(&adapter, samples, no_tune, quiet);
            let options = options(args, known.or_else(measured));
            let info = adapter.info();
            let mut identity = Identity {
                name: format!("{}, {}, {}", info.name, info.backend, info.driver),
                storage: options.storage.to_string(),
                tuning: options.tuning,
                resident: samples,
            };
            let description = info.description(options.storage);
            let engine: Box<dyn Engine + 'a> = if args.draws_on_the_device() {
                let source = Threefry::new(args.synthetic.recipe())?;
                Box::new(GpuEngine::drawn(&adapter, &source, loss, &options)?)
            } else {
                if batches {
                    // Before the samples are read, as far as it is known by then.
                    let plan = plan(&adapter, samples, &options)?;
                    plan.placement.keeps_the_line()?;
                }
                let engine = Streamed::new(&adapter, source, loss, &options, &on_load)?;
                if batches {
                    engine.placement().keeps_the_line()?;
                }
                let streamed = engine.placement().notice();
                streamed.iter().filter(|_| !quiet).for_each(output::notice);
                identity.resident = engine.placement().resident;
                Box::new(engine)
            };
            Ok(Loaded {
                engine,
                description,
                identity,
            })
        }
        Chosen::Cpu { notice } => {
            if let Some(notice) = notice.filter(|_| !quiet) {
                output::notice(notice);
            }
            let engine = CpuEngine::new(source, loss, &on_load)?;
            let description = engine.description();
            Ok(Loaded {
                identity: Identity {
                    name: description.kind.to_owned(),
                    storage: description.storage.to_string(),
                    ..Identity::default()
                },
                engine: Box::new(engine),
                description,
            })
        }
    }
}

/// What an engine would take for so many samples, in bytes.
#[derive(Debug, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Memory {
    Gpu(gpu::plan::Plan),
    Cpu(cpu::Plan),
}

/// What the chosen engine would be, and what it would take. Opens no device, and measures nothing.
pub fn memory(
    args: &Train,
    chosen: &Chosen,
    samples: u64,
    batches: bool,
) -> Result<(Description, Memory), Error> {
    match chosen {
        Chosen::Gpu(adapter) => {
            let tuned = !args.engine.on_gpu.no_tune && samples >= cache::WORTH;
            let options = options(args, tuned.then(|| cache::kept(adapter)).flatten());
            let plan = plan(adapter, samples, &options)?;
            if batches {
                plan.placement.keeps_the_line()?;
            }
            let description = adapter.info().description(options.storage);
            Ok((description, Memory::Gpu(plan)))
        }
        Chosen::Cpu { .. } => {
            let threads = rayon::current_num_threads();
            Ok((cpu::description(threads), Memory::Cpu(cpu::plan(samples))))
        }
    }
}

/// What the GPU engine is told.
fn options(args: &Train, tuning: Option<Tuning>) -> Options {
    Options {
        storage: args.engine.on_gpu.storage.into(),
        tuning,
        memory: args.engine.device_memory,
        ..Options::default()
    }
}

/// What was measured to suit an adapter, for so many samples; none where nobody is to measure.
pub fn tuning(adapter: &Adapter, samples: u64, no_tune: bool, quiet: bool) -> Option<Tuning> {
    let tell = |text| {
        if !quiet {
            output::notice(text);
        }
    };
    (!no_tune).then(|| cache::tuning(adapter, samples, tell))
}
