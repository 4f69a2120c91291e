// The two pages of one document; #bench in the address opens the second.

const TABS = ['play', 'bench'];
const tab = (name) => document.getElementById(`tab-${name}`);
let playHash = location.hash === '#bench' ? '' : location.hash;

function select(name) {
  for (const other of TABS) {
    const selected = other === name;
    document.getElementById(other).hidden = !selected;
    tab(other).setAttribute('aria-selected', selected);
    tab(other).tabIndex = selected ? 0 : -1;
  }
}

function go(name) {
  if (name === 'bench' && location.hash !== '#bench') {
    playHash = location.hash;
  }
  history.replaceState(null, '', name === 'bench' ? '#bench' : playHash || location.pathname);
  select(name);
}

TABS.forEach((name, i) => {
  tab(name).addEventListener('click', () => go(name));
  tab(name).addEventListener('keydown', ({ key }) => {
    if (key === 'ArrowLeft' || key === 'ArrowRight') {
      const other = TABS[1 - i];
      go(other);
      tab(other).focus();
    }
  });
});
addEventListener('hashchange', () => select(location.hash === '#bench' ? 'bench' : 'play'));
select(location.hash === '#bench' ? 'bench' : 'play');
