//! The engine with all samples in it.

use serde_json::json;

use super::checkpoint::{Checkpoints, DESCENT, Fingerprint, STANDARDISING, START};
use super::monitor::{Notice, Phase};
use super::prepare::Prepared;
use super::reopened::Reopened;
use super::run::Loaded;
use crate::data::{Source, gathered};
use crate::engine::cluster::Cluster;
use crate::engine::cpu::CpuEngine;
use crate::engine::with_far::WithFar;
use crate::engine::{Chosen, Description, Engine, Share};
use crate::error::Error;
use crate::train::Walk;

impl Prepared<'_> {
    /// Loads the samples into the engine, and takes up the checkpoint if there is one.
    ///
    /// # Errors
    /// Those of the engine and the source, and [`Error::OtherRun`] if the checkpoint belongs to another run.
    pub fn load(&self) -> Result<Loaded<'_>, Error> {
        let engine = Reopened::open(self)?;
        // Each sample was read by now, unless the device has drawn them.
        let statistics = self.samples.inner().statistics()?;
        let description = self.description(engine.description())?;
        let fingerprint = self.fingerprint(&description);
        let (walk, history) = match &self.options.resume {
            Some(checkpoint) => (
                checkpoint.resume(&fingerprint, self.source().ranks().size())?,
                checkpoint.history(),
            ),
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
                description.clone(),
                self.source().ranks().size(),
            ),
            prepared: self,
            engine,
            statistics,
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
            (
                "data",
                json!([drawn, source.all_samples(), self.statistics]),
            ),
            ("loss", json!(self.setup.loss.to_string())),
            (START, json!(self.setup.start)),
            (STANDARDISING, json!(self.setup.scaling)),
            (DESCENT, json!(config.descent)),
            ("epochs between read-backs", json!(config.sync_every)),
            ("tolerance or patience", json!(config.stop)),
            ("engine", json!(engine.clone().identity())),
        ])
    }

    /// Returns what the samples are summed on: with several ranks what each of them has.
    fn description(&self, own: Description) -> Result<Description, Error> {
        if self.source().ranks().size() == 1 {
            return Ok(own);
        }
        let share = Share {
            samples: self.samples.samples(),
            engine: own,
        };
        let shares = gathered(self.source(), share)?;
        Ok(Description::several(shares))
    }

    /// Returns the engine with all samples in it. One that replaces the `lost` engine is opened anew, with the same division of
    /// the work.
    pub(super) fn engine(&self, lost: Option<&Description>) -> Result<Box<dyn Engine + '_>, Error> {
        let ranks = self.source().ranks();
        if ranks.size() == 1 {
            return self.engine_of_rank(lost);
        }
        let is_empty = self.samples.samples() == 0;
        let own = (!is_empty).then(|| self.engine_of_rank(lost));
        let all = self.source().all_samples();
        Ok(Box::new(Cluster::new(
            own.transpose()?,
            ranks,
            all,
            &self.end,
        )))
    }

    /// Returns the engine with the samples of this rank in it.
    fn engine_of_rank(&self, lost: Option<&Description>) -> Result<Box<dyn Engine + '_>, Error> {
        let engine = self.engine_of_bulk(lost)?;
        // Also where other ranks alone have some: all must evaluate the same line.
        if self.setup.far == 0 {
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
            Chosen::Gpu(adapters) => self.gpu_engine(adapters, lost, &on_load),
        }
    }
}
