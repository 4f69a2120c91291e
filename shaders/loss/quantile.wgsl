// OVER·r over the line, −UNDER·r under it, OVER + UNDER = 1; the derivative is 0 at 0. By sign, not by select:
// half the time on a software adapter.
override OVER: f32;
override UNDER: f32;

fn loss_value(residual: vec4<f32>) -> vec4<f32> {
    return max(OVER * residual, -UNDER * residual);
}

fn loss_derivative(residual: vec4<f32>) -> vec4<f32> {
    let s = sign(residual);
    return OVER * max(s, vec4(0.0)) + UNDER * min(s, vec4(0.0));
}
