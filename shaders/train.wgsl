// The sums of an epoch over the samples: loss value, and loss derivative by w and by b; and the update of w and b.
//
// Joined, as text, with one file of each folder beside it:
//   loss/      loss_value, loss_derivative
//   samples/   samples_at: how x and y are stored
//   loads/     add_turn: how many loads an invocation has under way at once
//   sum/       sum_of_workgroup, leads, Place: how a workgroup adds up
//   dispatch/  where a dispatch finds its parameters
//
// Two phases an epoch: reduce_samples leaves one partial sum a workgroup and shard, reduce_partials adds those up,
// one workgroup a shard after the other, and updates the line on the device. A set within one workgroup's reach
// takes one phase, train_alone, for any number of epochs. No atomics and one fixed order of additions: the same
// data give the same bits.
//
// f32 sums stay right by being short. In phase one a term is rounded at most 16 times in a short sum (RUN), 64 times
// with the short sums of its invocation (LONGEST_SUM in src/engine/tuning.rs gives it no more than 1024 loads), some times where
// the set is no whole number of turns, and 3 + log2 WORKGROUP_SIZE times in its workgroup's; in phase two once for every
// WORKGROUP_SIZE partial sums, log2 WORKGROUP_SIZE times, and once a shard. For 1e9 samples that is some 60 times as
// the work is cut by default, and 110 at the worst cut that can be measured to be fast.

// A power of two.
override WORKGROUP_SIZE: u32;
// Loads of four samples that go into one short sum: LOADS or a multiple.
const RUN = 16u;

struct Dispatch {
    // The line at the batch's start, for x and y as they are stored.
    w: f32,
    b: f32,
    // Learning rate / samples; 0 where only the sums are wanted.
    step: f32,
    // x = x_center + x_scale · stored x, and what a stored y is multiplied with: 0, 1 and 1 for samples in f32.
    x_center: f32,
    x_scale: f32,
    y_scale: f32,
    // Samples of the shard that this dispatch reads.
    samples: u32,
    // The place of the epoch's record; the first one of train_alone.
    epoch: u32,
    // How many epochs train_alone goes.
    epochs: u32,
    // 1 in the epoch that starts from w, b itself, later ones go on from where the line has moved to.
    starts: u32,
    // 1 for the first and for the last shard.
    first_shard: u32,
    last_shard: u32,
}

struct Record {
    // Σ loss value, Σ loss derivative · stored x, Σ loss derivative, 0: over all samples, before the update.
    totals: vec4<f32>,
    // How far the update left w and b of the samples as they are from the batch's start, and what it added to get there.
    moved: vec2<f32>,
    added: vec2<f32>,
}

// The line's way since the batch's start. As a distance from w, b it keeps its digits; and what rounding loses when a
// step is added comes with the next one (Kahan 1965), so that steps below the last digit add up. The loss is worked out
// from what was stored an epoch before, because a compiler that sees (now + step) − now may take it for step.
struct Way {
    now: vec2<f32>,
    before: vec2<f32>,
    added: vec2<f32>,
}

@group(0) @binding(2) var<storage, read_write> partial_sums: array<vec4<f32>>;

// One buffer: to phase one only to be read, so that shards need not wait for each other, and to phase two.
@group(1) @binding(0) var<storage, read> way_before: Way;
@group(1) @binding(1) var<storage, read_write> way: Way;
@group(1) @binding(2) var<storage, read_write> records: array<Record>;

// Of one invocation, four samples side by side.
struct Terms {
    loss: vec4<f32>,
    dw: vec4<f32>,
    db: vec4<f32>,
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn reduce_samples(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    place: Place,
) {
    let line = line_at(select(way_before.now, vec2(0.0), dispatch.starts == 1u));
    let sum = sum_of_workgroup(sum_of_invocation(line, workgroup.x, workgroups.x, place.invocation), place);
    if leads(place) {
        partial_sums[workgroup.x] = sum;
    }
}

@compute @workgroup_size(WORKGROUP_SIZE)
fn reduce_partials(place: Place) {
    var sum = vec4(0.0);
    for (var at = place.invocation; at < arrayLength(&partial_sums); at += WORKGROUP_SIZE) {
        sum += partial_sums[at];
    }
    sum = sum_of_workgroup(sum, place);
    if leads(place) {
        if dispatch.first_shard == 0u {
            sum += records[dispatch.epoch].totals;
        }
        records[dispatch.epoch].totals = sum;
        if dispatch.last_shard == 1u {
            way = way_after(way_so_far(), sum);
            records[dispatch.epoch].moved = way.now;
            records[dispatch.epoch].added = way.added;
        }
    }
}

// The way within train_alone.
var<workgroup> way_alone: Way;

@compute @workgroup_size(WORKGROUP_SIZE)
fn train_alone(place: Place) {
    if leads(place) {
        way_alone = way_so_far();
    }
    for (var epoch = dispatch.epoch; epoch < dispatch.epoch + dispatch.epochs; epoch++) {
        // Two barriers: the leader has written the way and read scratch, and all have read the way.
        let before = workgroupUniformLoad(&way_alone);
        let sum = sum_of_workgroup(sum_of_invocation(line_at(before.now), 0u, 1u, place.invocation), place);
        if leads(place) {
            let after = way_after(before, sum);
            records[epoch] = Record(sum, after.now, after.added);
            way_alone = after;
        }
    }
    if leads(place) {
        way = way_alone;
    }
}

fn way_so_far() -> Way {
    if dispatch.starts == 1u {
        return Way();
    }
    return way;
}

fn way_after(way: Way, totals: vec4<f32>) -> Way {
    let dw = dispatch.x_center * totals.z + dispatch.x_scale * totals.y;
    let step = dispatch.step * vec2(dw, totals.z);
    let lost = way.added - (way.now - way.before);
    let added = lost - step;
    return Way(way.now + added, way.now, added);
}

// The line, for x and y as they are stored, that is so far from the batch's start.
fn line_at(moved: vec2<f32>) -> vec2<f32> {
    return vec2(dispatch.w, dispatch.b) + vec2(dispatch.x_scale * moved.x, dispatch.x_center * moved.x + moved.y);
}

// One of `workgroups` takes every so manieth turn of WORKGROUP_SIZE * LOADS loads, so that all of them together read
// one stretch of memory after the other.
fn sum_of_invocation(line: vec2<f32>, workgroup: u32, workgroups: u32, invocation: u32) -> vec4<f32> {
    let turns = dispatch.samples / (4u * WORKGROUP_SIZE * LOADS);
    var sum = Terms();
    var turn = workgroup;
    while turn < turns {
        var run = Terms();
        for (var loads = 0u; loads < RUN && turn < turns; loads += LOADS) {
            add_turn(&run, line, turn * WORKGROUP_SIZE * LOADS + invocation);
            turn += workgroups;
        }
        sum.loss += run.loss;
        sum.dw += run.dw;
        sum.db += run.db;
    }
    // What is no whole turn is the next workgroup's in the row.
    if turn == turns {
        let end = (dispatch.samples + 3u) / 4u;
        for (var at = turns * WORKGROUP_SIZE * LOADS + invocation; at < end; at += WORKGROUP_SIZE) {
            let inside = vec4(4u * at) + vec4(0u, 1u, 2u, 3u) < vec4(dispatch.samples);
            let one = terms(line, samples_at(at));
            sum.loss += select(vec4(0.0), one.loss, inside);
            sum.dw += select(vec4(0.0), one.dw, inside);
            sum.db += select(vec4(0.0), one.db, inside);
        }
    }
    let one = vec4(1.0);
    return vec4(dot(sum.loss, one), dot(sum.dw, one), dot(sum.db, one), 0.0);
}

fn add(sum: ptr<function, Terms>, line: vec2<f32>, samples: Samples) {
    let one = terms(line, samples);
    (*sum).loss += one.loss;
    (*sum).dw += one.dw;
    (*sum).db += one.db;
}

fn terms(line: vec2<f32>, samples: Samples) -> Terms {
    let residual = line.x * samples.x + line.y - samples.y;
    let derivative = loss_derivative(residual);
    return Terms(loss_value(residual), derivative * samples.x, derivative);
}
