// Reads x and y and does next to nothing with them: the roof for what train.wgsl reads.

// A power of two.
override WORKGROUP_SIZE: u32;

@group(0) @binding(0) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(1) var<storage, read> y: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> partial_sums: array<vec4<u32>>;

@compute @workgroup_size(WORKGROUP_SIZE)
fn read_samples(
    @builtin(workgroup_id) workgroup: vec3<u32>,
    @builtin(num_workgroups) workgroups: vec3<u32>,
    @builtin(local_invocation_index) invocation: u32,
) {
    let turn = 4u * WORKGROUP_SIZE;
    let turns = arrayLength(&x) / turn;
    var bits = vec4(0u);
    for (var i = workgroup.x; i < turns; i += workgroups.x) {
        let at = i * turn + invocation;
        let a = x[at] ^ y[at];
        let b = x[at + WORKGROUP_SIZE] ^ y[at + WORKGROUP_SIZE];
        let c = x[at + 2u * WORKGROUP_SIZE] ^ y[at + 2u * WORKGROUP_SIZE];
        let d = x[at + 3u * WORKGROUP_SIZE] ^ y[at + 3u * WORKGROUP_SIZE];
        bits ^= a ^ b ^ c ^ d;
    }
    if workgroup.x == turns % workgroups.x {
        for (var at = turns * turn + invocation; at < arrayLength(&x); at += WORKGROUP_SIZE) {
            bits ^= x[at] ^ y[at];
        }
    }
    // So that no compiler leaves the reading out; of no data likely to be met.
    if all(bits == vec4(0x9e3779b9u, 0x7f4a7c15u, 0xf39cc060u, 0x5cedc834u)) {
        partial_sums[0] = bits;
    }
}
