// x and y in f16, two to a word, four samples to a load of each; centred and scaled on the host, and computed with
// in f32. Padded to whole loads; what stands behind the last sample is read but never added.
@group(0) @binding(0) var<storage, read> x: array<vec2<u32>>;
@group(0) @binding(1) var<storage, read> y: array<vec2<u32>>;

struct Samples {
    x: vec4<f32>,
    y: vec4<f32>,
}

fn samples_at(at: u32) -> Samples {
    return Samples(
        vec4(unpack2x16float(x[at].x), unpack2x16float(x[at].y)),
        dispatch.y_scale * vec4(unpack2x16float(y[at].x), unpack2x16float(y[at].y)),
    );
}
