// One load of x and one of y at a time.
const LOADS = 1u;

fn add_turn(run: ptr<function, Terms>, line: vec2<f32>, at: u32) {
    add(run, line, samples_at(at));
}
