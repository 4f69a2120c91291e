// x and y in f32, four samples to a load of each. Padded to whole vec4s; what stands behind the last sample is read
// but never added.
@group(0) @binding(0) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read> y: array<vec4<f32>>;

struct Samples {
    x: vec4<f32>,
    y: vec4<f32>,
}

fn samples_at(at: u32) -> Samples {
    return Samples(x[at], y[at]);
}
