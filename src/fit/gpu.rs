//! The GPU engine of a fit, on one adapter or on several.

use std::ops::Range;

use super::monitor::Notice;
use super::plan::Memory;
use super::prepare::Prepared;
use crate::data::stretch::{Stretch, divide};
use crate::data::threefry::Threefry;
use crate::data::{self, BLOCK, OnLoad, Source};
use crate::engine::gpu::adapter::Adapter;
use crate::engine::gpu::plan::plan;
use crate::engine::gpu::tune::cache::{self, Tuned};
use crate::engine::gpu::{GpuEngine, Options, Several};
use crate::engine::{Description, Engine, Share, Tuning};
use crate::error::{Error, grouped};

/// An adapter with its part of the samples.
pub(super) struct Task<'a> {
    pub adapter: &'a Adapter,
    pub blocks: Range<u64>,
    /// How the work is divided on the adapter; `None` for what suits its kind.
    pub tuning: Option<Tuning>,
}

impl Prepared<'_> {
    /// Returns the engine on these adapters. One that replaces a `lost` engine has the same division of the work.
    pub(super) fn gpu_engine(
        &self,
        adapters: &[Adapter],
        lost: Option<&Description>,
        on_load: OnLoad,
    ) -> Result<Box<dyn Engine + '_>, Error> {
        let renewed: Vec<Adapter>;
        let adapters = if lost.is_some() {
            renewed = adapters
                .iter()
                .map(Adapter::again)
                .collect::<Result<_, _>>()?;
            &renewed
        } else {
            adapters
        };
        let tasks = self.tasks(adapters, lost)?;
        for left_out in &adapters[tasks.len()..] {
            self.monitor.notice(&Notice::Engine(format!(
                "{} has nothing to do: adapters take blocks of {} samples, and there are no more",
                left_out.info(),
                grouped(BLOCK as u64)
            )));
        }
        let engines = tasks.iter().map(|task| self.on_adapter(task, on_load));
        let mut engines = engines.collect::<Result<Vec<_>, _>>()?;
        let several = adapters.len() > 1;
        for (engine, task) in engines.iter().zip(&tasks) {
            if let Some(mut text) = engine.placement().notice() {
                if several {
                    text = format!("{}: {text}", task.adapter.info());
                }
                self.monitor.notice(&Notice::Engine(text));
            }
        }
        match engines.pop_if(|_| !several) {
            Some(engine) => Ok(Box::new(engine)),
            None => Ok(Box::new(Several::new(engines))),
        }
    }

    /// Returns the engine of a task.
    fn on_adapter(&self, task: &Task, on_load: OnLoad) -> Result<GpuEngine<'_>, Error> {
        let loss = self.setup.scaling.loss(self.setup.loss);
        let options = self.gpu_options(task.tuning);
        let samples = Stretch::new(&self.samples, task.blocks.clone());
        if self.is_drawn_on_the_device()
            && let Some(synthetic) = self.source().synthetic()
        {
            // The recipe is that of all ranks.
            let before = self.source().first() / BLOCK as u64;
            let blocks = before + task.blocks.start..before + task.blocks.end;
            let source = Threefry::new(synthetic.recipe)?.part(blocks);
            return GpuEngine::drawn(task.adapter, &source, loss, &options);
        }
        let batches = self.setup.in_batches();
        if batches {
            // Before the samples are read, as far as it is known by then.
            plan(task.adapter, samples.samples(), &options)?
                .placement
                .keeps_the_line()?;
        }
        let engine = GpuEngine::new(task.adapter, samples, loss, &options, on_load)?;
        if batches {
            engine.placement().keeps_the_line()?;
        }
        Ok(engine)
    }

    /// Returns what each adapter does: as the `lost` engine or that of the checkpoint did, else as was measured to suit them.
    fn tasks<'a>(
        &self,
        adapters: &'a [Adapter],
        lost: Option<&Description>,
    ) -> Result<Vec<Task<'a>>, Error> {
        let ranks = self.source().ranks();
        let resumed = || {
            self.options
                .resume
                .as_ref()?
                .division(ranks.rank(), ranks.size())
        };
        let known = lost
            .map(|lost| (lost.tuning, &lost.shares[..]))
            .or_else(resumed);
        let blocks = data::blocks(&self.samples)?;
        let is_free = lost.is_none() && self.options.shares.is_some();
        match known {
            Some((Some(tuning), _)) if adapters.len() == 1 => Ok(vec![Task {
                adapter: &adapters[0],
                blocks: 0..blocks,
                tuning: Some(tuning),
            }]),
            Some((_, shares))
                if !is_free && divides(shares, adapters.len(), self.samples.samples()) =>
            {
                let mut start = 0;
                let task = |(adapter, share): (&'a Adapter, &Share)| {
                    let end = start + share.samples.div_ceil(BLOCK as u64);
                    let blocks = start..end;
                    start = end;
                    Task {
                        adapter,
                        blocks,
                        tuning: share.engine.tuning,
                    }
                };
                Ok(adapters.iter().zip(shares).map(task).collect())
            }
            _ => Ok(self.tasks_by(adapters, blocks, |adapter| {
                let tell = |text| self.monitor.notice(&Notice::Engine(text));
                let samples = self.samples.samples();
                self.options
                    .tune
                    .then(|| cache::tuning(adapter, samples, tell))
            })),
        }
    }

    /// Returns what each adapter does of so many blocks, by its tuning. Shares follow the options, else the speeds if all are
    /// known.
    fn tasks_by<'a>(
        &self,
        adapters: &'a [Adapter],
        blocks: u64,
        tuned: impl FnMut(&Adapter) -> Option<Tuned>,
    ) -> Vec<Task<'a>> {
        let tuned: Vec<Option<Tuned>> = adapters.iter().map(tuned).collect();
        let parts = divide(blocks, &self.weights(&tuned));
        let tasks = adapters.iter().zip(tuned).zip(parts);
        tasks
            .map(|((adapter, tuned), blocks)| Task {
                adapter,
                blocks,
                tuning: tuned.map(|tuned| tuned.tuning),
            })
            .collect()
    }

    /// Returns the weights by which adapters with these tunings share samples.
    fn weights(&self, tuned: &[Option<Tuned>]) -> Vec<f64> {
        let given = self.options.shares.clone();
        let given = given.filter(|shares| shares.len() == tuned.len());
        given.unwrap_or_else(|| cache::weights(tuned))
    }

    /// Returns the samples a second that adapters are known to compute together: each has its share, and the slowest ends last.
    pub(super) fn speed_of(&self, adapters: &[Adapter]) -> Option<f64> {
        let kept: Vec<_> = adapters.iter().map(|adapter| self.kept(adapter)).collect();
        let weights = self.weights(&kept);
        let speeds = kept.iter().map(|kept| (*kept)?.samples_per_second);
        let speeds = speeds.collect::<Option<Vec<f64>>>()?;
        let whole: f64 = weights.iter().sum();
        let of_all = speeds
            .iter()
            .zip(weights)
            .map(|(speed, weight)| speed * whole / weight);
        of_all.reduce(f64::min)
    }

    /// Returns the tuning that was measured of an adapter before, if tunings are wanted.
    fn kept(&self, adapter: &Adapter) -> Option<Tuned> {
        cache::kept(adapter).filter(|_| self.options.tune)
    }

    /// Returns the engine on these adapters with so many samples, and the memory that it would take.
    pub(super) fn memory_of(
        &self,
        adapters: &[Adapter],
        samples: u64,
    ) -> Result<(Description, Memory), Error> {
        let blocks = samples.div_ceil(BLOCK as u64);
        let tasks = self.tasks_by(adapters, blocks, |adapter| {
            self.kept(adapter).filter(|_| samples >= cache::WORTH)
        });
        let mut plans = Vec::new();
        let mut shares = Vec::new();
        for task in tasks {
            let end = (task.blocks.end * BLOCK as u64).min(samples);
            let samples = end - task.blocks.start * BLOCK as u64;
            let options = self.gpu_options(task.tuning);
            let plan = plan(task.adapter, samples, &options)?;
            if self.setup.in_batches() {
                plan.placement.keeps_the_line()?;
            }
            let info = task.adapter.info();
            let tuning = task.tuning.unwrap_or_else(|| info.tuning());
            shares.push(Share {
                samples,
                engine: info.description(options.storage, tuning, plan.placement.resident),
            });
            plans.push(plan);
        }
        if let ([plan], [share], 1) = (&plans[..], &shares[..], adapters.len()) {
            return Ok((share.engine.clone(), Memory::Gpu(*plan)));
        }
        Ok((Description::several(shares), Memory::Gpus(plans)))
    }

    /// Returns the options of the GPU engine.
    pub(super) fn gpu_options(&self, tuning: Option<Tuning>) -> Options {
        Options {
            storage: self.options.storage,
            tuning,
            memory: self.options.device_memory,
            ..Options::default()
        }
    }
}

/// Returns whether shares divide so many samples in whole blocks among so many adapters. Those of a checkpoint may not.
fn divides(shares: &[Share], adapters: usize, samples: u64) -> bool {
    let whole = |share: &Share| share.samples > 0 && share.samples.is_multiple_of(BLOCK as u64);
    let sum = shares
        .iter()
        .try_fold(0_u64, |sum, share| sum.checked_add(share.samples));
    let Some((last, before)) = shares.split_last() else {
        return false;
    };
    let most = adapters as u64 == shares.len() as u64
        || samples.div_ceil(BLOCK as u64) == shares.len() as u64;
    most && shares.len() <= adapters
        && last.samples > 0
        && before.iter().all(whole)
        && sum == Some(samples)
}
