//! The data set and the engine that were asked for.

use std::io;

use fall_line::data::Source;
use fall_line::data::file::{self, Opened};
use fall_line::data::numpy::Numpy;
use fall_line::data::rows::Skipped;
use fall_line::data::statistics::Statistics;
use fall_line::data::synthetic::{self, ChaCha, Recipe};
use fall_line::data::threefry::Threefry;
use fall_line::engine::cpu::CpuEngine;
use fall_line::engine::gpu::adapter::Adapter;
use fall_line::engine::gpu::plan::plan;
use fall_line::engine::gpu::stream::Streamed;
use fall_line::engine::gpu::tuning::{Tuning, cache};
use fall_line::engine::gpu::{GpuEngine, Options};
use fall_line::engine::{Chosen, Description, Engine};
use fall_line::error::Error;
use fall_line::loss::Loss;
use fall_line::model::Model;

use crate::cli::{Generator, Train};
use crate::report::{self, progress::Progress};

/// The data set that was asked for, and the w and b that its seed draws to start from.
pub fn open(args: &Train) -> Result<(Box<dyn Source>, Model), Error> {
    let seed = args.synthetic.seed;
    let quiet = args.output.quiet;
    Ok(match (&args.data, args.synthetic.generator) {
        (Some(path), _) => {
            // Of a pipe the length is not known.
            let bytes = std::fs::metadata(path).map_or(0, |file| file.len());
            let reading = Progress::new("reading bytes", bytes, quiet);
            let opened = file::open(path, &args.csv.request(), &|n| reading.advance(n))?;
            drop(reading);
            if let Some(text) = skipped(&opened.skipped).filter(|_| !quiet) {
                report::notice(text);
            }
            judge(&opened, quiet)?;
            (opened.source, synthetic::start(seed))
        }
        (None, generator) => synthetic_source(generator, args.synthetic.recipe(), quiet)?,
    })
}

/// That rows were left out, if any were.
fn skipped(skipped: &Skipped) -> Option<String> {
    let first = skipped.first.as_ref()?;
    let counts = skipped.counts.iter();
    let reasons: Vec<String> = counts
        .map(|(reason, count)| format!("{count} where one {reason}"))
        .collect();
    let all: u64 = skipped.counts.values().sum();
    let plural = if all == 1 { "" } else { "s" };
    Some(format!(
        "left out {all} row{plural}: {}; the first: {first}",
        reasons.join(", ")
    ))
}

/// Refuses an x that does not vary, and tells of a column that f32 is too coarse for.
fn judge(opened: &Opened, quiet: bool) -> Result<(), Error> {
    let source = &*opened.source;
    let checking = Progress::new("checking", source.samples(), quiet);
    let statistics = Statistics::of(source, &|samples| checking.advance(samples))?;
    drop(checking);
    let x = &statistics.x;
    if x.least as f32 == x.greatest as f32 {
        let of_f32 = match x.least == x.greatest {
            true => "",
            false => ", to the digits of f32",
        };
        return Err(Error::Data(format!(
            "{}: x is {:?} in every sample{of_f32}; a line needs an x that varies",
            source.title(),
            x.least,
        )));
    }
    for (name, column) in [(&opened.x, x), (&opened.y, &statistics.y)] {
        if let Some(step) = column.coarse_in_f32().filter(|_| !quiet) {
            report::notice(format!(
                "{name} runs from {:?} to {:?}, where f32 has steps of {step:?}: subtract {:?} from it for a line with \
                 more digits",
                column.least, column.greatest, column.least,
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
    Ok(match generator {
        Generator::Chacha => {
            let start = synthetic::start(recipe.seed);
            (Box::new(ChaCha::new(recipe)?), start)
        }
        Generator::Device => {
            let start = synthetic::start(recipe.seed);
            (Box::new(Threefry::new(recipe)?), start)
        }
        Generator::Numpy => {
            let drawing = Progress::new("drawing", 2 * recipe.samples, quiet);
            let numpy = Numpy::new(recipe, &|n| drawing.advance(n))?;
            let start = numpy.start();
            (Box::new(numpy), start)
        }
    })
}

pub fn set_threads(threads: usize) -> Result<(), Error> {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build_global()
        .map_err(|error| Error::Io {
            doing: format!("cannot start {threads} threads"),
            source: io::Error::other(error),
        })
}

/// The chosen engine with all samples in it, and what to call it.
pub fn load<'a>(
    chosen: Chosen,
    source: &'a dyn Source,
    loss: Loss,
    args: &Train,
) -> Result<(Box<dyn Engine + 'a>, Description), Error> {
    let quiet = args.output.quiet;
    let loading = Progress::new("loading", source.samples(), quiet);
    let on_load = |samples| loading.advance(samples);
    Ok(match chosen {
        Chosen::Gpu(adapter) => {
            let options = Options {
                storage: args.engine.on_gpu.storage.into(),
                tuning: tuning(
                    &adapter,
                    source.samples(),
                    args.engine.on_gpu.no_tune,
                    quiet,
                ),
                memory: args.engine.device_memory,
                ..Options::default()
            };
            let description = adapter.info().description(options.storage);
            if args.draws_on_the_device() {
                let source = Threefry::new(args.synthetic.recipe())?;
                let engine = GpuEngine::drawn(&adapter, &source, loss, &options)?;
                return Ok((Box::new(engine), description));
            }
            let in_batches = args.training.sync_every.min(args.training.epochs) > 1;
            if in_batches {
                // Before the samples are read, as far as it is known by then.
                let plan = plan(&adapter, source.samples(), &options)?;
                plan.placement.keeps_the_line()?;
            }
            let engine = Streamed::new(&adapter, source, loss, &options, &on_load)?;
            if in_batches {
                engine.placement().keeps_the_line()?;
            }
            let streamed = engine.placement().notice();
            streamed.iter().filter(|_| !quiet).for_each(report::notice);
            (Box::new(engine), description)
        }
        Chosen::Cpu { notice } => {
            if let Some(notice) = notice.filter(|_| !quiet) {
                report::notice(notice);
            }
            let engine = CpuEngine::new(source, loss, &on_load)?;
            let description = engine.description();
            (Box::new(engine), description)
        }
    })
}

/// What was measured to suit an adapter, for so many samples; none where nobody is to measure.
pub fn tuning(adapter: &Adapter, samples: u64, no_tune: bool, quiet: bool) -> Option<Tuning> {
    let tell = |text| {
        if !quiet {
            report::notice(text);
        }
    };
    (!no_tune).then(|| cache::tuning(adapter, samples, tell))
}
