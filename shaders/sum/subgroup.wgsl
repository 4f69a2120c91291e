// The workgroup's sum by subgroups: those of each in registers, then theirs by way of workgroup memory.
struct Place {
    @builtin(local_invocation_index) invocation: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_invocation_id) in_subgroup: u32,
}

// A place for each subgroup: no more than there are invocations.
var<workgroup> scratch: array<vec4<f32>, WORKGROUP_SIZE>;

// Whether this invocation is the one that knows the sum.
fn leads(place: Place) -> bool {
    return place.subgroup == 0u && place.in_subgroup == 0u;
}

fn sum_of_workgroup(value: vec4<f32>, place: Place) -> vec4<f32> {
    let sum = subgroupAdd(value);
    if place.in_subgroup == 0u {
        scratch[place.subgroup] = sum;
    }
    workgroupBarrier();
    var rest = vec4(0.0);
    // Counted, because a driver may say another size than it runs.
    let width = subgroupAdd(1u);
    if place.subgroup == 0u {
        for (var at = place.in_subgroup; at < place.subgroups; at += width) {
            rest += scratch[at];
        }
    }
    return subgroupAdd(rest);
}
