"""jupyter_kernel_test on a kernel for TypeScript.

    pip install jupyter_kernel_test
    KERNEL=guardpage python bench/kernel-conformance.py -v

KERNEL is a kernelspec that Jupyter finds (`npm start -- --setup-only` installs guardpage and
tslab into .venv). Only the pager is skipped: paging is deprecated, and this kernel has none.
"""

import os
import unittest

import jupyter_kernel_test

KERNEL = os.environ.get("KERNEL", "guardpage")


class Conformance(jupyter_kernel_test.KernelTests):
    kernel_name = KERNEL
    language_name = "typescript"
    file_extension = ".ts"
    code_hello_world = "console.log('hello, world')"
    code_stderr = "console.error('wrong')"
    completion_samples = [
        {"text": "consol", "matches": {"console"}},
        {"text": "[1].findLastI", "matches": {"findLastIndex"}},
        {"text": "Math.trun", "matches": {"trunc"}},
    ]
    complete_code_samples = ["1", "console.log('hello')", "function f(x: number) { return x }"]
    incomplete_code_samples = ["function f(x: number) {", "console.log(", "`open"]
    invalid_code_samples = ["import = 7", ")", "let 5 = x"]
    code_page_something = ""
    code_generate_error = "throw new Error('on purpose')"
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "'a' + 'b'", "result": "'ab'"},
        {"code": "[1, 2].map((n) => n * 2)", "result": "[ 2, 4 ]"},
        {"code": "10n ** 20n", "result": "100000000000000000000n"},
    ]
    code_history_pattern = "6*"
    supported_history_operations = ("tail", "range", "search")
    code_inspect_sample = "parseInt"
    code_display_data = [
        {"code": "import * as tslab from 'tslab'; tslab.display.html('<b>x</b>')", "mime": "text/html"},
        {"code": "tslab.display.png(new Uint8Array([1]))", "mime": "image/png"},
        {"code": "tslab.display.svg('<svg/>')", "mime": "image/svg+xml"},
    ]
    code_clear_output = "console.clear()"


class Welcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = KERNEL
    support_iopub_welcome = True


if __name__ == "__main__":
    unittest.main()
