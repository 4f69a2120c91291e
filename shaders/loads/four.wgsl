// Four loads of x and four of y under way before the first is used: 128 bytes an invocation in f32.
const LOADS = 4u;

fn add_turn(run: ptr<function, Terms>, line: vec2<f32>, at: u32) {
    let a = samples_at(at);
    let b = samples_at(at + WORKGROUP_SIZE);
    let c = samples_at(at + 2u * WORKGROUP_SIZE);
    let d = samples_at(at + 3u * WORKGROUP_SIZE);
    add(run, line, a);
    add(run, line, b);
    add(run, line, c);
    add(run, line, d);
}
