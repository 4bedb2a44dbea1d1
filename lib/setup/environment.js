// @ts-check
'use strict';
const path = require('node:path');

/** @typedef {import('./project').Project} Project */

/** Set by other Python or Jupyter installations; they would lead ours astray. */
const FOREIGN = [
  'PYTHONHOME',
  'PYTHONPATH',
  'PYTHONSTARTUP',
  'PIP_TARGET',
  'PIP_PREFIX',
  'PIP_REQUIRE_VIRTUALENV',
  'JUPYTER_PATH',
  'JUPYTER_CONFIG_PATH',
  'JUPYTER_TOKEN',
  'JUPYTERLAB_DIR',
];

/**
 * The variables under which npm, pip, Jupyter and the kernels run: what they would write to the
 * home folder goes into the project instead. What leads to a network (proxies, certificates,
 * mirrors) stays.
 *
 * @param {Project} project
 * @param {NodeJS.ProcessEnv} [inherited]
 * @returns {NodeJS.ProcessEnv}
 */
function childEnvironment(project, inherited = process.env) {
  /** @type {NodeJS.ProcessEnv} */
  const env = { ...inherited };
  for (const name of FOREIGN) delete env[name];
  const jupyter = (/** @type {string} */ name) => path.join(project.jupyter, name);
  return {
    ...env,
    PATH: `${path.join(project.venv, 'bin')}${path.delimiter}${env.PATH ?? ''}`,
    VIRTUAL_ENV: project.venv,
    PYTHONNOUSERSITE: '1',
    PIP_USER: '0',
    PIP_CACHE_DIR: path.join(project.cache, 'pip'),
    PIP_DISABLE_PIP_VERSION_CHECK: '1',
    npm_config_cache: path.join(project.cache, 'npm'),
    npm_config_update_notifier: 'false',
    JUPYTER_CONFIG_DIR: jupyter('config'),
    JUPYTER_DATA_DIR: jupyter('data'),
    JUPYTER_RUNTIME_DIR: jupyter('runtime'),
    JUPYTERLAB_SETTINGS_DIR: jupyter('settings'),
    JUPYTERLAB_WORKSPACES_DIR: jupyter('workspaces'),
    JUPYTER_PREFER_ENV_PATH: '1',
    JUPYTER_PLATFORM_DIRS: '0',
    IPYTHONDIR: jupyter('ipython'),
  };
}

module.exports = { childEnvironment };
