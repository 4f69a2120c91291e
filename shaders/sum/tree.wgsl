// The workgroup's sum by a tree in workgroup memory: for adapters without subgroups.
struct Place {
    @builtin(local_invocation_index) invocation: u32,
}

var<workgroup> scratch: array<vec4<f32>, WORKGROUP_SIZE>;

// Whether this invocation is the one that knows the sum.
fn leads(place: Place) -> bool {
    return place.invocation == 0u;
}

fn sum_of_workgroup(value: vec4<f32>, place: Place) -> vec4<f32> {
    scratch[place.invocation] = value;
    for (var width = WORKGROUP_SIZE / 2u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if place.invocation < width {
            scratch[place.invocation] += scratch[place.invocation + width];
        }
    }
    return scratch[place.invocation];
}
