from __future__ import annotations

from pipeline.build.linking import Chain, LinkedSymbols, chains, explanations
from pipeline.build.packages import Imports, listed_imports

IMPORTS = listed_imports(
    (
        "go: downloading example.com/grpc v1.0.0",
        "text/template\t\treflect",
        "html/template\t\ttext/template",
        "example.com/net/trace\texample.com/net\thtml/template",
        "example.com/grpc/internal/log\texample.com/grpc\t",
        "example.com/grpc\texample.com/grpc\texample.com/grpc/internal/log example.com/net/trace",
        "example.com/otlp\texample.com/otlp\texample.com/grpc",
        "example.com/main/components\texample.com/main\texample.com/otlp",
        "example.com/main\texample.com/main\tflag example.com/main/components",
    )
)

# The initialiser of a package leads to a template.
BY_INITIALISER = """\
# example.com/main
_ -> _rt0_amd64_linux
_ -> go:main.inittasks
_rt0_amd64_linux -> main.main
main.main -> fmt.Println
fmt.Println -> type:*reflect.rtype <UsedInIface>
go:main.inittasks -> example.com/net/trace..inittask
example.com/net/trace..inittask -> example.com/net/trace.init.0
example.com/net/trace.init.0 -> go:string."a -> b"
example.com/net/trace.init.0 -> html/template.(*Template).Execute
html/template.(*Template).Execute -> text/template.(*state).walk
text/template.(*state).walk -> text/template.(*state).evalField <ReflectMethod>
type:*reflect.rtype <UsedInIface> -> reflect.(*rtype).Methods
reflect.(*rtype).Methods -> reflect.(*rtype).Methods.func1 <ReflectMethod>
"""


def linked(text: str) -> LinkedSymbols:
    symbols = LinkedSymbols()
    for line in text.splitlines():
        symbols.take(line)
    return symbols


def test_the_chain_of_an_initialiser_begins_with_imports() -> None:
    (chain,) = chains(linked(BY_INITIALISER), IMPORTS)
    assert chain.text() == (
        "main -> example.com/otlp -> example.com/grpc -> example.com/net/trace -> html/template"
        " -> text/template.(*state).evalField"
    )


def test_the_chain_of_calls_begins_in_main() -> None:
    text = """\
_ -> _rt0_amd64_linux
_rt0_amd64_linux -> runtime.main
runtime.main -> main.main
main.main -> example.com/grpc/internal/log.Print
example.com/grpc/internal/log.Print -> example.com/grpc.Call
example.com/grpc.Call -> go:itab.*gopkg.in/yaml%2ev3.T,io.Reader
go:itab.*gopkg.in/yaml%2ev3.T,io.Reader -> gopkg.in/yaml%2ev3.(*T).Read <ReflectMethod>
"""
    assert chains(linked(text), IMPORTS) == (
        Chain(function="gopkg.in/yaml.v3.(*T).Read", packages=("main", "example.com/grpc")),
    )


def test_functions_that_are_kept_as_a_consequence_are_not_named() -> None:
    symbols = linked(BY_INITIALISER)
    assert symbols.preventing == ["text/template.(*state).evalField"]


def test_every_function_has_a_chain_of_its_own() -> None:
    more = "main.main -> example.com/otlp.Start <ReflectMethod>\n"
    found = chains(linked(BY_INITIALISER + more), IMPORTS)
    assert [each.function for each in found] == [
        "example.com/otlp.Start",
        "text/template.(*state).evalField",
    ]


BY_NAME = """\
_ -> main.main
main.main -> example.com/otlp.Print
main.main -> type:*reflect.rtype <UsedInIface>
type:*reflect.rtype <UsedInIface> -> reflect.(*rtype).Methods
reflect.(*rtype).Methods -> reflect.(*rtype).Methods.func1 <ReflectMethod>
"""


def test_for_functions_of_reflect_their_callers_are_named() -> None:
    callers = ("example.com/otlp.Print", "example.com/dropped.Print")
    found = chains(linked(BY_NAME), IMPORTS, callers)
    assert [each.text() for each in found] == ["main -> example.com/otlp.Print"]


def test_functions_of_reflect_are_named_if_their_callers_are_not_known() -> None:
    (found,) = chains(linked(BY_NAME), IMPORTS)
    assert found.function == "reflect.(*rtype).Methods.func1"


def test_lines_of_the_compiler_are_left_to_others() -> None:
    symbols = LinkedSymbols()
    assert not symbols.take("./main.go:1:1: cannot use x -> y")
    assert symbols.take("_ -> main.main")
    assert symbols.take("main.main -> fmt.Println")
    assert not symbols.take("example.com/otlp")


def test_a_shortest_chain_of_imports_is_found() -> None:
    imported = {"main": ["a", "b"], "a": ["c"], "b": ["d"], "c": ["d"], "d": ["main"]}
    imports = Imports(main="main", modules={}, imported=imported)
    assert imports.chain("d") == ("main", "b", "d")
    assert imports.chain("main") == ("main",)
    assert imports.chain("elsewhere") == ()


def test_the_same_explanation_of_several_layers_is_given_once() -> None:
    chain = Chain(function="a.F", packages=("main",))
    (both,) = explanations({"one.zip": [chain], "two.zip": [chain]})
    assert "main -> a.F" in both
    assert both.startswith("one.zip, two.zip: ")
    dropped, kept = explanations({"one.zip": [], "two.zip": [chain]})
    assert dropped.startswith("one.zip: ")
    assert "a.F" not in dropped
    assert kept.startswith("two.zip: ")
