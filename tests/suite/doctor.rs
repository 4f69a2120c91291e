//! `fall-line doctor` on every adapter of this machine, and on a driver with a fault.

use std::process::Output;

use crate::common::program::{
    fall_line, json, ran, refused, run, stderr, stdout, without_adapters,
};
use serde_json::Value;

/// The checks, in their order.
const CHECKS: [&str; 10] = [
    "compile",
    "one-workgroup",
    "ragged-sizes",
    "not-finite",
    "batches",
    "subgroup-and-tree",
    "largest-binding",
    "many-ones",
    "timestamps",
    "bandwidth",
];

fn adapters() -> Vec<Value> {
    let adapters = json("adapters --format json");
    adapters.as_array().unwrap().clone()
}

fn report(output: &Output) -> Value {
    serde_json::from_str(&stdout(output)).unwrap()
}

/// Returns the outcome of each check of an adapter.
fn outcomes(adapter: &Value) -> Vec<(&str, &str)> {
    let checks = adapter["checks"].as_array().unwrap().iter();
    checks
        .map(|found| {
            let text = |field: &str| found[field].as_str().unwrap();
            (text("check"), text("outcome"))
        })
        .collect()
}

#[test]
fn every_adapter_passes_every_check_that_it_has_the_means_for() {
    let report = json("doctor --format json");
    assert_eq!(report["passed"], true);
    assert_eq!(report["failed_backends"].as_array().unwrap().len(), 0);
    let examined = report["adapters"].as_array().unwrap();
    let listed = adapters();
    assert_eq!(examined.len(), listed.len());
    for (examined, listed) in examined.iter().zip(&listed) {
        for (field, value) in listed.as_object().unwrap() {
            assert_eq!(&examined[field], value, "{field}");
        }
        println!("{} {}", listed["name"], listed["backend"]);
        let outcomes = outcomes(examined);
        let names: Vec<&str> = outcomes.iter().map(|(check, _)| *check).collect();
        assert_eq!(names, CHECKS);
        let abilities = &examined["abilities"];
        for (check, outcome) in outcomes {
            let has_means = match check {
                "subgroup-and-tree" => !abilities["subgroup_sizes"].is_null(),
                "timestamps" => abilities["timestamps"] == true,
                _ => true,
            };
            assert_eq!(
                outcome,
                if has_means { "passed" } else { "skipped" },
                "{check}"
            );
        }
        let speed = examined["checks"][9]["bytes_per_second"].as_f64().unwrap();
        assert!(speed > 0.0);
    }
}

#[test]
fn the_table_fits_80_columns_and_names_each_adapter() {
    let text = ran("doctor");
    for line in text.lines() {
        assert!(line.chars().count() <= 80, "{line}");
    }
    for adapter in adapters() {
        let title = ["index", "name", "backend", "kind"].map(|field| {
            let value = &adapter[field];
            value.as_str().map_or(value.to_string(), str::to_owned)
        });
        let [index, title] = [&title[0], &title[1..].join(", ")];
        assert!(text.contains(&format!("{index:>2} {title}")), "{text}");
    }
    assert!(!text.contains("FAILED"), "{text}");
}

#[test]
fn a_required_kind_has_to_be_there() {
    let adapters = adapters();
    for (kind, software) in [("hardware", false), ("software", true)] {
        let output = run(&format!("doctor --adapter 0 --require {kind}"));
        let there = adapters[0]["software"] == software;
        println!("adapter 0 is {kind}: {there}");
        assert_eq!(output.status.code(), Some(if there { 0 } else { 4 }));
        let error = format!("error: 1 adapter passed, but there is no {kind} adapter among them");
        assert_eq!(!there, stderr(&output).starts_with(&error));
    }
}

#[test]
fn an_adapter_that_is_not_there_is_an_error() {
    let error = refused(4, "doctor --adapter nothing-like-it");
    assert!(
        error.contains("no adapter matches \"nothing-like-it\""),
        "{error}"
    );
    // A program that reads JSON gets a report, also of no adapter at all.
    let output = without_adapters()
        .args(["doctor", "--format", "json"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(4));
    assert!(stderr(&output).contains("no GPU adapter found"));
    let none = report(&output);
    assert_eq!(none["passed"], false);
    assert_eq!(none["adapters"], Value::Array(vec![]));
    let error = refused(2, "doctor --timeout 0s");
    assert!(error.contains("must be above 0"), "{error}");
}

/// Runs the script that CI jobs find an adapter with.
#[cfg(target_os = "linux")]
fn adapter_script(args: &[&str], no_vulkan: bool) -> Output {
    let mut script = std::process::Command::new("tests/adapter.sh");
    script
        .arg("--no-install")
        .arg(env!("CARGO_BIN_EXE_fall-line"));
    if no_vulkan {
        script.env("VK_DRIVER_FILES", "/dev/null");
        script.env("VK_ICD_FILENAMES", "/dev/null");
    }
    script.args(args).output().unwrap()
}

#[test]
#[cfg(target_os = "linux")]
fn the_script_for_ci_checks_adapters_and_says_what_to_install() {
    let output = adapter_script(&["--adapter", "0"], false);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("1 of 1 adapter passed"));
    let output = adapter_script(&["--adapter", "nothing-like-it"], false);
    assert_eq!(output.status.code(), Some(4));
    let output = adapter_script(&[], true);
    assert_eq!(output.status.code(), Some(1));
    let error = stderr(&output);
    assert!(error.contains("mesa-vulkan-drivers"), "{error}");
}

/// A driver between Vulkan's loader and that of a software adapter, with a fault in one function.
#[cfg(target_os = "linux")]
mod faulty {
    use std::fs;
    use std::path::{Path, PathBuf};
    use std::process::{Command, Output, Stdio};
    use std::sync::LazyLock;
    use std::time::Duration;

    use serde_json::{Value, json};
    use wait_timeout::ChildExt;

    use super::{CHECKS, fall_line, outcomes, report, stderr, stdout};
    const SOURCE: &str = r#"
        #include <dlfcn.h>
        #include <stdlib.h>
        #include <string.h>
        #include <unistd.h>
        typedef void (*function)(void);
        typedef function (*lookup)(void *, const char *);
        static lookup of_instance, of_device;
        static void crash(void) { abort(); }
        static void hang(void) { for (;;) pause(); }
        static void nothing(void) {}
        static function fault(const char *name) {
            const char *at = getenv("FAULT_AT"), *kind = getenv("FAULT");
            if (!at || !kind || strcmp(at, name)) return 0;
            return !strcmp(kind, "crash") ? crash : !strcmp(kind, "hang") ? hang : nothing;
        }
        static function device_function(void *device, const char *name) {
            function faulty = fault(name);
            return faulty ? faulty : of_device(device, name);
        }
        static void *driver(const char *name) {
            static void *opened;
            if (!opened) opened = dlopen(getenv("FAULT_DRIVER"), RTLD_NOW);
            return opened ? dlsym(opened, name) : 0;
        }
        function vk_icdGetInstanceProcAddr(void *instance, const char *name) {
            if (!of_instance) of_instance = (lookup)driver("vk_icdGetInstanceProcAddr");
            function faulty = fault(name);
            if (faulty) return faulty;
            function right = of_instance(instance, name);
            if (strcmp(name, "vkGetDeviceProcAddr")) return right;
            of_device = (lookup)right;
            return (function)device_function;
        }
        int vk_icdNegotiateLoaderICDInterfaceVersion(unsigned *version) {
            return ((int (*)(unsigned *))driver("vk_icdNegotiateLoaderICDInterfaceVersion"))(version);
        }
    "#;

    /// The faulty driver's manifest, and the path of the driver behind it.
    static DRIVER: LazyLock<(PathBuf, String)> = LazyLock::new(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("faulty-driver");
        fs::create_dir_all(&folder).unwrap();
        let (source, library) = (folder.join("driver.c"), folder.join("libdriver.so"));
        fs::write(&source, SOURCE).unwrap();
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-o"])
            .args([&library, &source])
            .arg("-ldl")
            .status();
        assert!(built.unwrap().success());
        let manifest = folder.join("driver.json");
        let text = json!({
            "file_format_version": "1.0.0",
            "ICD": { "library_path": library, "api_version": "1.3.0" },
        });
        fs::write(&manifest, text.to_string()).unwrap();
        (manifest, lavapipe())
    });

    /// Returns the library of Mesa's software adapter.
    fn lavapipe() -> String {
        let folders = ["/usr/share/vulkan/icd.d", "/etc/vulkan/icd.d"];
        let manifest = folders
            .into_iter()
            .filter_map(|folder| fs::read_dir(folder).ok())
            .flatten()
            .map(|entry| entry.unwrap().path())
            .find(|path| {
                path.file_name()
                    .unwrap()
                    .to_string_lossy()
                    .starts_with("lvp_")
            })
            .expect("these tests need lavapipe: apt-get install mesa-vulkan-drivers");
        let manifest: Value = serde_json::from_slice(&fs::read(manifest).unwrap()).unwrap();
        manifest["ICD"]["library_path"].as_str().unwrap().to_owned()
    }

    /// Runs the doctor on a driver in which a function crashes, hangs or does nothing.
    fn doctor(fault: &str, function: &str, args: &str) -> Output {
        command(fault, function)
            .args(["doctor", "--format", "json"])
            .args(args.split_whitespace())
            .output()
            .unwrap()
    }

    fn command(fault: &str, function: &str) -> Command {
        let (manifest, driver) = &*DRIVER;
        let mut program = fall_line();
        program
            .env("VK_DRIVER_FILES", manifest)
            .env("VK_ICD_FILENAMES", manifest)
            .env("FAULT_DRIVER", driver)
            .env("FAULT_AT", function)
            .env("FAULT", fault);
        program
    }

    fn only_adapter(output: &Output) -> Value {
        let report = report(output);
        let adapters = report["adapters"].as_array().unwrap();
        assert_eq!(adapters.len(), 1, "{}", stdout(output));
        adapters[0].clone()
    }

    /// Returns the detail of a check that failed.
    fn failure(adapter: &Value, check: &str) -> String {
        let found = adapter["checks"].as_array().unwrap().iter();
        let found = found.clone().find(|found| found["check"] == check).unwrap();
        assert_eq!(found["outcome"], "failed", "{check}");
        found["detail"].as_str().unwrap().to_owned()
    }

    /// Asserts that it failed with one line that names the culprit.
    fn assert_failed(output: &Output, culprit: &str) {
        assert_eq!(output.status.code(), Some(4), "{}", stdout(output));
        assert_eq!(
            stderr(output),
            format!("error: checks failed on {culprit}; use another adapter or driver\n")
        );
        assert_eq!(report(output)["passed"], false);
    }

    #[test]
    fn without_its_fault_the_driver_passes() {
        let output = doctor("none", "", "--adapter vulkan");
        assert!(
            output.status.success(),
            "{}{}",
            stdout(&output),
            stderr(&output)
        );
        assert_eq!(only_adapter(&output)["passed"], true);
    }

    #[test]
    fn a_driver_that_crashes_while_it_is_listed_costs_only_its_own_adapters() {
        let output = doctor("crash", "vkCreateInstance", "");
        assert_failed(&output, "vulkan");
        let report = report(&output);
        let failed = &report["failed_backends"][0];
        assert_eq!(failed["backend"], "vulkan");
        let problem = failed["problem"].as_str().unwrap();
        assert!(problem.starts_with("ended by signal: 6"), "{problem}");
        let others = super::adapters();
        let others = others.iter().filter(|other| other["backend"] != "vulkan");
        let examined = report["adapters"].as_array().unwrap();
        assert_eq!(examined.len(), others.count());
        assert!(examined.iter().all(|adapter| adapter["passed"] == true));
        // Whoever asks for another adapter does not mind.
        if !examined.is_empty() {
            assert!(
                doctor("crash", "vkCreateInstance", "--adapter gl")
                    .status
                    .success()
            );
        }
        assert_failed(
            &doctor("crash", "vkCreateInstance", "--adapter vulkan"),
            "vulkan",
        );
    }

    /// The listing is whole by then, and the adapter is examined.
    #[test]
    fn a_driver_that_crashes_at_the_end_of_its_listing_fails_and_loses_no_adapter() {
        for adapter in ["vulkan", "0"] {
            let output = doctor(
                "crash",
                "vkDestroyInstance",
                &format!("--adapter {adapter}"),
            );
            assert_failed(&output, "adapter 0, vulkan");
            let adapter = only_adapter(&output);
            assert_eq!(outcomes(&adapter).len(), CHECKS.len());
            assert!(adapter["problem"].as_str().unwrap().contains("signal: 6"));
        }
    }

    #[test]
    fn a_driver_that_hangs_while_it_is_listed_is_ended() {
        let output = doctor("hang", "vkCreateInstance", "--adapter vulkan --timeout 1s");
        assert_failed(&output, "vulkan");
        let failed = &report(&output)["failed_backends"][0];
        assert_eq!(failed["problem"], "no answer within 1s");
    }

    /// Also where it is only listed or opened, and where the shaders are compiled.
    #[test]
    fn training_ends_with_a_driver_that_hangs_crashes_or_does_nothing() {
        for (fault, function, part) in [
            (
                "hang",
                "vkCreateInstance",
                "does not answer while adapters are listed",
            ),
            ("hang", "vkCreateDevice", "does not answer"),
            ("hang", "vkCreateComputePipelines", "does not answer"),
            ("hang", "vkQueueSubmit", "does not answer"),
            ("crash", "vkCreateInstance", "the program crashed"),
            ("crash", "vkQueueSubmit", "the program crashed"),
            ("nothing", "vkCmdDispatch", "wrong sums"),
        ] {
            let output = command(fault, function)
                .env("WGPU_BACKEND", "vulkan")
                .env("FALL_LINE_GPU_TIMEOUT", "2")
                .args(["train", "--samples", "50000", "--engine", "gpu"])
                .output()
                .unwrap();
            let text = stderr(&output);
            assert_eq!(output.status.code(), Some(4), "{fault} {function}: {text}");
            assert!(text.contains(part), "{fault} {function}: {text}");
        }
    }

    #[test]
    fn a_driver_that_hangs_under_examination_is_ended() {
        let output = doctor("hang", "vkQueueSubmit", "--adapter vulkan --timeout 10s");
        assert_failed(&output, "adapter 0");
        let adapter = only_adapter(&output);
        assert_eq!(outcomes(&adapter), [("compile", "failed")]);
        assert_eq!(failure(&adapter, "compile"), "no answer within 10s");
        assert_eq!(adapter["problem"], "no answer within 10s");
    }

    #[test]
    fn a_crash_is_the_failure_of_the_check_that_it_came_in() {
        for (function, check) in [
            ("vkCreateDevice", "compile"),
            ("vkCmdWriteTimestamp", "timestamps"),
        ] {
            let output = doctor("crash", function, "--adapter vulkan");
            assert_failed(&output, "adapter 0");
            let adapter = only_adapter(&output);
            let at = CHECKS.iter().position(|name| *name == check).unwrap();
            let outcomes = outcomes(&adapter);
            assert_eq!(outcomes.len(), at + 1, "{function}");
            assert!(
                outcomes[..at]
                    .iter()
                    .all(|(_, outcome)| *outcome != "failed")
            );
            let detail = failure(&adapter, check);
            assert!(detail.starts_with("ended by signal: 6"), "{detail}");
        }
    }

    #[test]
    fn an_adapter_that_computes_nothing_passes_no_check_of_sums() {
        let output = doctor("nothing", "vkCmdDispatch", "--adapter vulkan");
        assert_failed(&output, "adapter 0");
        let adapter = only_adapter(&output);
        for check in &CHECKS[1..8] {
            failure(&adapter, check);
        }
        assert_eq!(
            failure(&adapter, "one-workgroup"),
            "256 samples: loss 0, dw 0, db 0; right is loss 2080, dw 2080, db 64"
        );
        assert_eq!(adapter["problem"], Value::Null);
    }

    #[test]
    fn timestamps_that_are_never_written_fail_their_check_alone() {
        let output = doctor("nothing", "vkCmdWriteTimestamp", "--adapter vulkan");
        assert_failed(&output, "adapter 0");
        let adapter = only_adapter(&output);
        failure(&adapter, "timestamps");
        let failed = outcomes(&adapter)
            .iter()
            .filter(|(_, outcome)| *outcome == "failed")
            .count();
        assert_eq!(failed, 1);
    }

    /// The end of its parent closes a child's standard input.
    #[test]
    fn a_child_in_a_driver_that_hangs_ends_with_its_parent() {
        let mut child = command("hang", "vkCreateInstance")
            .args(["doctor", "--child", "list"])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        // Taken: waiting would close it.
        let stdin = child.stdin.take();
        let ended = child.wait_timeout(Duration::from_millis(100)).unwrap();
        assert!(ended.is_none());
        drop(stdin);
        let ended = child.wait_timeout(Duration::from_secs(60)).unwrap();
        child.kill().unwrap();
        assert!(ended.is_some());
    }
}
