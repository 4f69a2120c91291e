// ½r² up to |r| = DELTA, DELTA·(|r| − ½DELTA) beyond; both are c·(r − ½c) with c = r clamped to ±DELTA.
override DELTA: f32;

fn loss_value(residual: vec4<f32>) -> vec4<f32> {
    let clamped = loss_derivative(residual);
    return clamped * (residual - 0.5 * clamped);
}

fn loss_derivative(residual: vec4<f32>) -> vec4<f32> {
    return clamp(residual, vec4(-DELTA), vec4(DELTA));
}
