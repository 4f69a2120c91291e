// The loss of many lines over the samples: one load of samples serves four lines.
//
// Joined, as text, with one file of loss/ and of samples/, sum/tree.wgsl and dispatch/uniform.wgsl.
//
// Workgroup (i, j) leaves the sums of the j-th four lines over the i-th part of the shard. The host adds up the parts in
// f64. An invocation takes at most 64 loads (LOADS in src/engine/gpu/losses.rs), so that its f32 sums stay short.

// A power of two.
override WORKGROUP_SIZE: u32;

struct Dispatch {
    // Samples of the shard.
    samples: u32,
    // What a stored y is multiplied with: 1 for samples in f32.
    y_scale: f32,
}

// Four lines, for x and y as they are stored.
struct Lines {
    w: vec4<f32>,
    b: vec4<f32>,
}

@group(0) @binding(2) var<storage, read_write> partial_sums: array<vec4<f32>>;
@group(1) @binding(0) var<storage, read> lines: array<Lines>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn reduce_losses(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    place: Place,
) {
    let four = lines[workgroup.y];
    let whole = dispatch.samples / 4u;
    var sums = mat4x4<f32>();
    var at = workgroup.x * WORKGROUP_SIZE + place.invocation;
    for (; at < whole; at += workgroups.x * WORKGROUP_SIZE) {
        sums += losses(four, samples_at(at));
    }
    // One invocation ends its loop here: it takes the samples that are no whole load.
    let rest = dispatch.samples % 4u;
    if at == whole && rest > 0u {
        var one = losses(four, samples_at(at));
        let inside = vec4(0u, 1u, 2u, 3u) < vec4(rest);
        for (var line = 0u; line < 4u; line++) {
            sums[line] += select(vec4(0.0), one[line], inside);
        }
    }
    let sum = sum_of_workgroup(vec4(1.0) * sums, place);
    if leads(place) {
        partial_sums[workgroup.y * workgroups.x + workgroup.x] = sum;
    }
}

// A column for each line, a row for each sample.
fn losses(four: Lines, samples: Samples) -> mat4x4<f32> {
    return mat4x4(
        loss_value(four.w.x * samples.x + four.b.x - samples.y),
        loss_value(four.w.y * samples.x + four.b.y - samples.y),
        loss_value(four.w.z * samples.x + four.b.z - samples.y),
        loss_value(four.w.w * samples.x + four.b.w - samples.y),
    );
}
