// r², and 2r.
fn loss_value(residual: vec4<f32>) -> vec4<f32> {
    return residual * residual;
}

fn loss_derivative(residual: vec4<f32>) -> vec4<f32> {
    return 2.0 * residual;
}
