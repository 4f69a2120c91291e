// Two loads of x and two of y under way before the first is used.
const LOADS = 2u;

fn add_turn(run: ptr<function, Terms>, line: vec2<f32>, at: u32) {
    let a = samples_at(at);
    let b = samples_at(at + WORKGROUP_SIZE);
    add(run, line, a);
    add(run, line, b);
}
