// (1 − TAU)·r over the line, −TAU·r under it; the derivative is 0 at 0. By sign, not by two selects: half the
// time on a software adapter.
override TAU: f32;

fn loss_value(residual: vec4<f32>) -> vec4<f32> {
    return residual * loss_derivative(residual);
}

fn loss_derivative(residual: vec4<f32>) -> vec4<f32> {
    let s = sign(residual);
    return 0.5 * s + (0.5 - TAU) * abs(s);
}
