// |r|, and sign(r), which WGSL defines as 0 at 0.
fn loss_value(residual: vec4<f32>) -> vec4<f32> {
    return abs(residual);
}

fn loss_derivative(residual: vec4<f32>) -> vec4<f32> {
    return sign(residual);
}
