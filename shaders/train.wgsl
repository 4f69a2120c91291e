// The sums of one epoch over the samples: loss value, and loss derivative by w and by b.
//
// Joined with one file of shaders/loss/, which brings loss_value and loss_derivative.
// Phase one, reduce_samples, leaves one partial sum a workgroup; phase two, reduce_partials, adds those up
// in one workgroup. No atomics and one fixed order of additions: the same data give the same bits.
//
// f32 sums stay right by being short. On its way to the totals a term is rounded at most RUN + 2 + log2 WORKGROUP_SIZE
// times in phase one and RUN + partials / (RUN · WORKGROUP_SIZE) + log2 WORKGROUP_SIZE times in phase two: 51 times for
// 6.7e7 samples, 65 times for 1e9.

// A power of two.
override WORKGROUP_SIZE: u32;
// Loads of four samples that an invocation of reduce_samples adds up.
override RUN: u32;

struct Dispatch {
    w: f32,
    b: f32,
    // Samples of the shard that this dispatch reads.
    samples: u32,
    // Where in partial_sums the shard's first workgroup writes.
    first_partial: u32,
}

var<immediate> dispatch: Dispatch;

// Padded to whole vec4s; what stands behind the last sample is never added.
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> y: array<vec4<f32>>;

// As a vec4: Σ loss value, Σ loss derivative · x, Σ loss derivative, 0.
@group(1) @binding(0) var<storage, read_write> partial_sums: array<vec4<f32>>;
@group(1) @binding(1) var<storage, read_write> totals: vec4<f32>;

var<workgroup> scratch: array<vec4<f32>, WORKGROUP_SIZE>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn reduce_samples(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let first = workgroup.x * WORKGROUP_SIZE * RUN + invocation;
    let loads = (dispatch.samples + 3u) / 4u;
    var loss = vec4(0.0);
    var dw = vec4(0.0);
    var db = vec4(0.0);
    for (var i = 0u; i < RUN; i++) {
        let at = first + i * WORKGROUP_SIZE;
        if at >= loads {
            break;
        }
        let inside = vec4(4u * at) + vec4(0u, 1u, 2u, 3u) < vec4(dispatch.samples);
        let residual = dispatch.w * x[at] + dispatch.b - y[at];
        let derivative = loss_derivative(residual);
        loss += select(vec4(0.0), loss_value(residual), inside);
        dw += select(vec4(0.0), derivative * x[at], inside);
        db += select(vec4(0.0), derivative, inside);
    }
    let one = vec4(1.0);
    sum_in_scratch(vec4(dot(loss, one), dot(dw, one), dot(db, one), 0.0), invocation);
    if invocation == 0u {
        partial_sums[dispatch.first_partial + workgroup.x] = scratch[0];
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn reduce_partials(@builtin(local_invocation_index) invocation: u32) {
    let partials = arrayLength(&partial_sums);
    // Runs within runs, to keep them short: 1e9 samples are 240 partial sums an invocation.
    var sum = vec4(0.0);
    for (var first = invocation; first < partials; first += RUN * WORKGROUP_SIZE) {
        var run = vec4(0.0);
        let end = min(partials, first + RUN * WORKGROUP_SIZE);
        for (var at = first; at < end; at += WORKGROUP_SIZE) {
            run += partial_sums[at];
        }
        sum += run;
    }
    sum_in_scratch(sum, invocation);
    if invocation == 0u {
        totals = scratch[0];
    }
}

// Leaves the sum of `value` over the workgroup in scratch[0], for invocation 0 to read: a tree in workgroup memory.
fn sum_in_scratch(value: vec4<f32>, invocation: u32) {
    scratch[invocation] = value;
    for (var width = WORKGROUP_SIZE / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if invocation < width {
            scratch[invocation] += scratch[invocation + width];
        }
    }
}
