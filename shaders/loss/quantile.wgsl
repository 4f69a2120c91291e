// (1 − TAU)·r over the line, −TAU·r under it; the derivative is 0 at 0.
override TAU: f32;

fn loss_value(residual: vec4<f32>) -> vec4<f32> {
    return max((1.0 - TAU) * residual, -TAU * residual);
}

fn loss_derivative(residual: vec4<f32>) -> vec4<f32> {
    let over = select(vec4(0.0), vec4(1.0 - TAU), residual > vec4(0.0));
    return select(over, vec4(-TAU), residual < vec4(0.0));
}
