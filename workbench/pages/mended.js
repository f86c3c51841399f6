// Panel's component for React, 1.9, reads what it draws when it is drawn, and hears of changes only once React has run its
// effects, some time after: what changed between the two never came to be seen, on a busy machine a slider without its steps
// or a card without what stands in it. With these it looks once more as soon as it hears.
const MENDS = [
  ["react_proxy.on(prop, cb, true)", "react_proxy.on(prop, cb, true); cb()"],
  ["target.on_child_render(child, () => {", "((look) => { target.on_child_render(child, look); look() })(() => {"],
];

// The page runs this before Panel itself; its components are made when all scripts are there.
document.addEventListener("DOMContentLoaded", () => {
  const component = Bokeh.Models.get("panel.models.esm.ReactComponent").prototype;
  const written = component._render_code;
  component._render_code = function () {
    return MENDS.reduce((code, [said, meant]) => code.replace(said, () => meant), written.call(this));
  };
});
