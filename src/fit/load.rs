//! The engine with all samples in it.

use serde_json::json;

use super::checkpoint::{Checkpoints, Fingerprint};
use super::monitor::{Notice, Phase};
use super::prepare::Prepared;
use super::reopened::Reopened;
use super::run::Loaded;
use crate::data::Source;
use crate::engine::cpu::CpuEngine;
use crate::engine::with_far::WithFar;
use crate::engine::{Chosen, Description, Engine};
use crate::error::Error;
use crate::train::Walk;

impl Prepared<'_> {
    /// Loads the samples into the engine, and takes up the checkpoint if there is one.
    ///
    /// # Errors
    /// Those of the engine and the source, and [`Error::OtherRun`] if the checkpoint belongs to another run.
    pub fn load(&self) -> Result<Loaded<'_>, Error> {
        let engine = Reopened::open(self)?;
        let description = engine.description();
        let fingerprint = self.fingerprint(&description);
        let (walk, history) = match &self.options.resume {
            Some(checkpoint) => (checkpoint.resume(&fingerprint)?, checkpoint.history()),
            None => (Walk::new(&self.setup.config), &[][..]),
        };
        let history = if self.options.history { history } else { &[] };
        if self.options.history && history.is_empty() && walk.epochs() > 0 {
            self.monitor
                .notice(&Notice::HistoryBegins(walk.epochs() + 1));
        }
        Ok(Loaded {
            checkpoints: Checkpoints::new(
                self.options.checkpoint.clone(),
                self.options.checkpoint_every,
                self.options.sync_every,
                &walk,
                fingerprint,
                description.tuning,
            ),
            prepared: self,
            engine,
            description,
            epochs_before: walk.epochs(),
            walk,
            history: history.to_vec(),
            failed: None,
            first_loss: None,
            cancelled: false,
            load: self.start.elapsed(),
        })
    }

    /// Returns what has to be the same for a run to go on to the same bits.
    fn fingerprint(&self, engine: &Description) -> Fingerprint {
        let (source, config) = (self.source(), &self.setup.config);
        let drawn = source
            .synthetic()
            .map(|synthetic| (source.title(), synthetic.to_string()));
        Fingerprint::new([
            ("version", json!(env!("CARGO_PKG_VERSION"))),
            ("data", json!([drawn, source.samples(), self.statistics])),
            ("loss", json!(self.setup.loss.to_string())),
            ("start", json!(self.setup.start)),
            ("standardising", json!(self.setup.scaling)),
            (
                "optimizer, learning rate or schedule",
                json!(config.descent),
            ),
            ("epochs between read-backs", json!(config.sync_every)),
            ("tolerance or patience", json!(config.stop)),
            ("engine", json!(engine.clone().identity())),
        ])
    }

    /// Returns the engine with all samples in it. One that replaces the `lost` engine is opened anew, with the same division of
    /// the work.
    pub(super) fn engine(&self, lost: Option<&Description>) -> Result<Box<dyn Engine + '_>, Error> {
        let engine = self.engine_of_bulk(lost)?;
        if self.far.is_empty() {
            return Ok(engine);
        }
        let loss = self.setup.scaling.loss(self.setup.loss);
        Ok(Box::new(WithFar::new(engine, loss, self.far.clone())))
    }

    /// Returns the engine without the samples that are too far off for it.
    fn engine_of_bulk(&self, lost: Option<&Description>) -> Result<Box<dyn Engine + '_>, Error> {
        self.monitor.begin(Phase::Loading, self.samples.samples());
        let on_load = |samples| self.monitor.advance(samples);
        // Only devices are lost.
        #[cfg(not(feature = "gpu"))]
        let _ = lost;
        match &self.chosen {
            Chosen::Cpu { reason } => {
                if let Some(reason) = reason {
                    self.monitor.notice(&Notice::CpuInstead(reason.clone()));
                }
                let loss = self.setup.scaling.loss(self.setup.loss);
                Ok(Box::new(CpuEngine::new(&self.samples, loss, &on_load)?))
            }
            #[cfg(feature = "gpu")]
            Chosen::Gpu(adapter) => match lost {
                Some(lost) => self.gpu_engine(&adapter.again()?, lost.tuning, &on_load),
                None => self.gpu_engine(adapter, None, &on_load),
            },
        }
    }
}

#[cfg(feature = "gpu")]
mod gpu {
    use super::*;
    use crate::data::OnLoad;
    use crate::data::threefry::Threefry;
    use crate::engine::Tuning;
    use crate::engine::gpu::adapter::Adapter;
    use crate::engine::gpu::plan::plan;
    use crate::engine::gpu::tune::cache;
    use crate::engine::gpu::{GpuEngine, Options};
    use crate::fit::checkpoint::Checkpoint;

    impl Prepared<'_> {
        pub(super) fn gpu_engine(
            &self,
            adapter: &Adapter,
            tuning: Option<Tuning>,
            on_load: OnLoad,
        ) -> Result<Box<dyn Engine + '_>, Error> {
            let samples = self.samples.samples();
            let loss = self.setup.scaling.loss(self.setup.loss);
            let resumed = self.options.resume.as_ref();
            let known = tuning.or_else(|| resumed.and_then(Checkpoint::tuning));
            let options = self.gpu_options(known.or_else(|| self.tuning(adapter, samples)));
            if self.is_drawn_on_the_device()
                && let Some(synthetic) = self.source().synthetic()
            {
                let source = Threefry::new(synthetic.recipe)?;
                return Ok(Box::new(GpuEngine::drawn(
                    adapter, &source, loss, &options,
                )?));
            }
            let batches = self.setup.in_batches();
            if batches {
                // Before the samples are read, as far as it is known by then.
                plan(adapter, samples, &options)?
                    .placement
                    .keeps_the_line()?;
            }
            let engine = GpuEngine::new(adapter, &self.samples, loss, &options, on_load)?;
            if batches {
                engine.placement().keeps_the_line()?;
            }
            if let Some(text) = engine.placement().notice() {
                self.monitor.notice(&Notice::Engine(text));
            }
            Ok(Box::new(engine))
        }

        /// Returns the options of the GPU engine.
        pub(in crate::fit) fn gpu_options(&self, tuning: Option<Tuning>) -> Options {
            Options {
                storage: self.options.storage,
                tuning,
                memory: self.options.device_memory,
                ..Options::default()
            }
        }

        /// Returns the division of the work that was measured to suit an adapter.
        fn tuning(&self, adapter: &Adapter, samples: u64) -> Option<Tuning> {
            let tell = |text| self.monitor.notice(&Notice::Engine(text));
            self.options
                .tune
                .then(|| cache::tuning(adapter, samples, tell))
        }
    }
}
