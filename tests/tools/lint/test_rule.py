"""The cfn-lint rule reports exactly the mistakes for which the deployment would fail, at their lines."""

from __future__ import annotations

import datetime
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cfnlint.decode import decode_str
from cfnlint.template import Template
from hypothesis import given, settings
from hypothesis import strategies as st

from handler.properties import InvalidPropertiesError, translate
from tests.handler.strategies import (
    Mistake,
    as_cloudformation_writes,
    as_native_tags,
    create_domain_shape,
    domains,
    json_values,
    mistakes,
    service_model,
)
from tools.lint.rules.domain_properties import DomainAdvice, DomainProperties, as_text

ROOT = Path(__file__).parents[3]
RULE = "E9365"
ADVICE = "I9365"
SHAPE = create_domain_shape()
REPORTED: Any = service_model().operation_model("GetDomain").output_shape

# Marks a line of a template: the rule has to report exactly the text behind it. HEAD is put before each template.
MARK = "  # <- "
HEAD = """\
Parameters:
  Name: {Type: String, Default: not a name}
  Days: {Type: Number, Default: 99999}
  Stage: {Type: String, AllowedValues: [test, production]}
Conditions:
  IsTest: !Equals [!Ref Stage, test]
  IsProduction: !Not [!Condition IsTest]
Resources:
  Topic: {Type: AWS::SNS::Topic}
"""
TEMPLATES = {
    "nothing is wrong": """
  Domain:
    Type: Custom::CustomerProfilesDomain
    Properties:
      ServiceToken: !ImportValue provider-ServiceToken
      ServiceTimeout: 300
      DomainName: customers
      DefaultExpirationDays: 366
      AdoptExisting: yes
      Matching:
        Enabled: true
        JobSchedule: {DayOfTheWeek: SUNDAY, Time: "12:30"}
        AutoMerging:
          Enabled: "TRUE"
          MinAllowedConfidenceScoreForMerging: 0.5
          Consolidation:
            MatchingAttributesList: [[EmailAddress, LastName]]
      Tags: {CostCentre: 4711, Since: 2024-01-01, Weight: 0.5, Internal: false}
""",
    "what only the deployment knows is left alone": """
  Domain:
    Type: Custom::CustomerProfilesDomain
    Properties:
      ServiceToken: !ImportValue provider-ServiceToken
      DomainName: !Ref Name
      DefaultExpirationDays: !Ref Days
      DefaultEncryptionKey: !GetAtt Topic.TopicArn
      DeadLetterQueueUrl: !Sub "${Topic.TopicName}"
      AdoptExisting: "{{resolve:ssm:adopt}}"
      DataStore: {Enabled: !Select [0, [maybe]]}
      Matching:
        Enabled: !ImportValue matching
        AutoMerging:
          Enabled: true
          ConflictResolution: {ConflictResolvingModel: !Ref Name}
          Consolidation:
            MatchingAttributesList: !Split [",", !Ref Name]
        Fn::Transform: {Name: SomeMacro}
      RuleBasedMatching:
        Fn::Transform: {Name: SomeMacro}
      Tags:
        - {Key: !Ref Name, Value: !Ref Name}
        - {Key: !Ref Name, Value: x}
        - !If [IsTest, {Key: a, Value: b}, !Ref AWS::NoValue]
""",
    "other types are left alone": """
  Other:
    Type: AWS::CloudFormation::CustomResource
    Properties: {ServiceToken: !ImportValue provider-ServiceToken, DomainName: not a name}
  Another:
    Type: Custom::CustomerProfilesDomains
    Properties: {ServiceToken: !ImportValue provider-ServiceToken, DomainName: not a name}
""",
    "each mistake at its own line": """
  Domain:
    Type: Custom::CustomerProfilesDomain
    Properties:
      ServiceToken: !ImportValue provider-ServiceToken
      DomainName: a/name  # <- DomainName: 'a/name' does not match ^[a-zA-Z0-9_-]+$; not allowed in it: '/'
      DefaultExpirationDays: 30.5  # <- DefaultExpirationDays: must be a whole number, not '30.5'
      AdoptExisting: 1  # <- AdoptExisting: must be true or false, not '1'; write true
      DataStorage:  # <- DataStorage: is not a property here; did you mean DataStore?
        Enabled: true
      Matching:  # <- Matching.Enabled: is missing; it is required
        JobSchedule:
          DayOfTheWeek: Friday  # <- Matching.JobSchedule.DayOfTheWeek: 'Friday' is not one of SUNDAY, MONDAY, \
TUESDAY, WEDNESDAY, THURSDAY, FRIDAY, SATURDAY; did you mean FRIDAY?
          Time: 12:30  # <- Matching.JobSchedule.Time: '750' does not match \
^([0-9]|0[0-9]|1[0-9]|2[0-3]):[0-5][0-9]$; YAML reads 12:30 without quotes as the number 750: write '12:30'
        AutoMerging:
          Enabled: perhaps  # <- Matching.AutoMerging.Enabled: must be true or false, not 'perhaps'
          MinAllowedConfidenceScoreForMerging: 1.5  # <- Matching.AutoMerging.MinAllowedConfidenceScoreForMerging: \
is 1.5; 0.0 to 1.0 is allowed
          ConflictResolution:  # <- Matching.AutoMerging.ConflictResolution.SourceName: is missing; \
ConflictResolvingModel: SOURCE needs it
            ConflictResolvingModel: SOURCE
          Consolidation:
            MatchingAttributesList:
              - - EmailAddress
                - ""  # <- Matching.AutoMerging.Consolidation.MatchingAttributesList[0][1]: '' has 0 characters; \
1 to 255 is allowed
              - LastName  # <- Matching.AutoMerging.Consolidation.MatchingAttributesList[1]: must be a list, not \
'LastName'; write [LastName]
      Tags:
        - Key: team
          Value: data
        - Key: team  # <- Tags[1].Key: names the tag 'team' a second time
          Value: data
        - Key: cloudformation:stack-id  # <- Tags[2].Key: is a tag that the resource keeps for itself; choose \
another key
          Value: mine
""",
    "each branch of a condition": """
  Domain:
    Type: Custom::CustomerProfilesDomain
    Properties:
      ServiceToken: !ImportValue provider-ServiceToken
      DomainName: customers
      DefaultExpirationDays: !If [IsTest, 0, !If [IsProduction, 366, 5000]]  # <- DefaultExpirationDays: is 0; \
1 to 1098 is allowed
      Matching:
        Fn::If:
          - IsTest
          - Enabled: maybe  # <- Matching.Enabled: must be true or false, not 'maybe'
          - AutoMerging: {Enabled: true}
            Enabled: false
      RuleBasedMatching:
        Enabled: !If [IsTest, true, !Ref AWS::NoValue]  # <- RuleBasedMatching.Enabled: is missing; it is required
      DataStore:
        Fn::If: [NoSuchCondition, 1, 2]
      Tags:
        - {Key: a, Value: b}
        - !If [IsTest, {Key: a, Value: b}, !Ref AWS::NoValue]  # <- Tags[1].Key: names the tag 'a' a second time
  OnlyInTest:
    Type: Custom::CustomerProfilesDomain
    Condition: IsTest
    Properties:
      ServiceToken: !ImportValue provider-ServiceToken
      DomainName: !If [IsTest, customers, never asked for]
      DefaultExpirationDays: 366
""",
    "properties that are missing or not a map": """
  Without:  # <- DomainName: is missing; it is required  # <- DefaultExpirationDays: is missing; it is required
    Type: Custom::CustomerProfilesDomain
  List:
    Type: Custom::CustomerProfilesDomain
    Properties: [DomainName]  # <- Properties: must be a map of properties, not a list
""",
    "resources that a loop makes": """
  Fn::ForEach::Domains:
    - Each
    - [a, c]
    - Domain${Each}:
        Type: Custom::CustomerProfilesDomain
        Properties:
          ServiceToken: !ImportValue provider-ServiceToken
          DomainName: !Sub "${Each}."  # <- DomainName: 'a.' does not match ^[a-zA-Z0-9_-]+$; not allowed in it: '.'  \
# <- DomainName: 'c.' does not match ^[a-zA-Z0-9_-]+$; not allowed in it: '.'
          DefaultExpirationDays: never  # <- DefaultExpirationDays: must be a whole number, not 'never'
Transform: AWS::LanguageExtensions
""",
    "a template for SAM": """
  Domain:
    Type: Custom::CustomerProfilesDomain
    Properties:
      ServiceToken: !ImportValue provider-ServiceToken
      DomainName: customers
      DefaultExpirationDays: never  # <- DefaultExpirationDays: must be a whole number, not 'never'
Transform: AWS::Serverless-2016-10-31
""",
}


def run_cfn_lint(program: Path, templates: list[Path], cwd: Path, rules: Path, *more: str) -> list[dict[str, Any]]:
    """The report of the real cfn-lint, run in an empty folder and without this project's environment."""
    done = subprocess.run(
        [program, "--append-rules", rules, "--format", "json", *more, "--", *templates],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), "AWS_DEFAULT_REGION": "eu-west-1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert not done.stderr, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    assert not [match for match in found if match["Rule"]["Id"] == "E0002"], "a rule raised an error"
    return found


@pytest.fixture(scope="module")
def template_files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("templates")
    files = {name: folder / f"{number}.yaml" for number, name in enumerate(TEMPLATES)}
    for name, path in files.items():
        path.write_text(HEAD + TEMPLATES[name].removeprefix("\n"))
    return files


@pytest.fixture(scope="module")
def found(template_files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    program = Path(sys.executable).with_name("cfn-lint")
    return run_cfn_lint(
        program, [*template_files.values()], tmp_path_factory.mktemp("elsewhere"), ROOT / "tools/lint/rules"
    )


def reported(found: list[dict[str, Any]], path: Path) -> list[tuple[int, str]]:
    """The lines and texts that the rule has for a template."""
    return sorted(
        (match["Location"]["Start"]["LineNumber"], match["Message"])
        for match in found
        if match["Rule"]["Id"] == RULE and match["Filename"] == str(path)
    )


def marked(path: Path) -> list[tuple[int, str]]:
    lines = enumerate(path.read_text().splitlines(), start=1)
    return sorted((number, text) for number, line in lines for text in line.split(MARK)[1:])


@pytest.mark.parametrize("name", TEMPLATES)
def test_cfn_lint_reports_each_mistake_at_its_line_and_nothing_else(
    name: str, found: list[dict[str, Any]], template_files: dict[str, Path]
) -> None:
    path = template_files[name]
    # A loop makes several resources from the same lines.
    assert sorted(set(reported(found, path))) == marked(path)
    assert bool(marked(path)) == (RULE in {match["Rule"]["Id"] for match in found if match["Filename"] == str(path)})


def test_the_texts_are_those_of_the_failed_deployment(
    found: list[dict[str, Any]], template_files: dict[str, Path]
) -> None:
    with pytest.raises(InvalidPropertiesError) as caught:
        translate({"DomainName": "customers", "DefaultExpirationDays": "never"}, SHAPE)
    assert [text for _, text in reported(found, template_files["a template for SAM"])] == [str(caught.value)]


def test_the_rule_works_with_only_a_checkout_and_another_botocore(
    template_files: dict[str, Path], found: list[dict[str, Any]], tmp_path: Path
) -> None:
    program = ROOT / ".venv" / "sam" / "bin" / "cfn-lint"
    if not program.exists():
        pytest.skip("there is no .venv/sam; make environments")
    for folder in ("handler", "tools/lint"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    path = template_files["each mistake at its own line"]
    assert reported(run_cfn_lint(program, [path], Path("/"), tmp_path / "tools/lint/rules"), path) == reported(
        found, path
    )


# The rule in this process, over any template


def problems_of(
    properties: Any, rule: type[DomainProperties | DomainAdvice] = DomainProperties, **resource: Any
) -> list[tuple[list[Any], str]]:
    """The rule's matches for a resource: the path within its properties, the text."""
    template: dict[str, Any] = {
        "Conditions": {"IsTest": {"Fn::Equals": [{"Ref": "AWS::Region"}, "eu-west-1"]}},
        "Resources": {"Domain": {"Type": "Custom::CustomerProfilesDomain", "Properties": properties, **resource}},
    }
    matches = rule().match(Template("template.yaml", template))
    assert all(match.path[:3] == ["Resources", "Domain", "Properties"] for match in matches)
    return [(match.path[3:], match.message) for match in matches]


def as_text_all(value: Any) -> Any:
    if isinstance(value, dict):
        return {as_text(key): as_text_all(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_text_all(item) for item in value]
    return as_text(value)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for step, item in items:
        yield from places(item, (*path, step))


def replaced(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """The value with another one at the path; `new` is made from what is there."""
    if not path:
        return new(value)
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = replaced(value[path[0]], path[1:], new)
    return copy


def has_functions(value: Any) -> bool:
    if isinstance(value, dict):
        return any(str(key).startswith(("Fn::", "Ref")) or has_functions(item) for key, item in value.items())
    if isinstance(value, list):
        return any(map(has_functions, value))
    return isinstance(value, str) and "{{resolve:" in value


FUNCTIONS = [{"Ref": "X"}, {"Fn::GetAtt": ["X", "Y"]}, {"Fn::Sub": "${X}"}, {"Fn::If": ["None", 1, 2]}]
UNKNOWN = st.sampled_from([*FUNCTIONS, "{{resolve:ssm:x}}", "a{{resolve:secretsmanager:x}}b", {"Fn::Transform": {}}])


NO_VALUE = {"Ref": "AWS::NoValue"}
PERHAPS = {"Fn::If": ["NoSuchCondition", {"Key": "z", "Value": "z"}, NO_VALUE]}
LEAST = {"DomainName": "customers", "DefaultExpirationDays": 366}


def tags(count: int) -> list[dict[str, str]]:
    return as_native_tags({f"key{index}": "value" for index in range(count)})


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        # A macro or a loop may add what is missing, but corrects no mistake.
        ({"Fn::Transform": {"Name": "Some"}, "DomainName": "customers"}, []),
        ({**LEAST, "Matching": {"Fn::ForEach::X": [], "JobSchedule": "daily"}}, [["Matching", "JobSchedule"]]),
        ({**LEAST, "Matching": {"JobSchedule": "daily"}}, [["Matching", "JobSchedule"], ["Matching", "Enabled"]]),
        # The number of entries is known only at the deployment.
        ({**LEAST, "Tags": [*tags(47), PERHAPS]}, []),
        ({**LEAST, "Tags": [*tags(48), {"Key": "z", "Value": "z"}]}, [["Tags"]]),
        ({**LEAST, "Tags": {**{f"key{index}": "value" for index in range(47)}, "z": PERHAPS}}, []),
        # The number of entries is known.
        ({**LEAST, "Tags": [*tags(47), NO_VALUE]}, []),
        ({**LEAST, "Tags": [*tags(48), NO_VALUE]}, [["Tags"]]),
        ({"DomainName": NO_VALUE, "DefaultExpirationDays": 366}, [["DomainName"]]),
        # What comes after AWS::NoValue keeps its place in the template.
        ({**LEAST, "Tags": [NO_VALUE, "a=b", *tags(1)]}, [["Tags", 1]]),
        ({**LEAST, "Tags": [NO_VALUE, *tags(1), {"Key": "key0"}]}, [["Tags", 2, "Value"]]),
        ({**LEAST, "Tags": [NO_VALUE, *tags(1), NO_VALUE, *tags(1)]}, [["Tags", 3, "Key"]]),
    ],
)
def test_entries_that_a_function_may_add_or_remove_are_taken_into_account(
    properties: Any, expected: list[list[Any]]
) -> None:
    assert [place for place, _ in problems_of(properties)] == expected


CONNECT_ADVICE = (
    "DomainName: 'customers' can't be used by a Connect instance: its domain's name has to begin with "
    "amazon-connect-, and another name later means another domain"
)
DYNAMIC_ADVICE = (
    "a dynamic reference may reach a custom resource as it is written, and is refused then; "
    "pass the value in as a template parameter of type AWS::SSM::Parameter::Value<String>"
)


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        (LEAST, [(["DomainName"], CONNECT_ADVICE)]),
        (LEAST | {"DomainName": "amazon-connect-customers"}, []),
        # A name that a function makes may have the prefix, and what is not a name is an error already.
        (LEAST | {"DomainName": {"Fn::Sub": "${Prefix}-customers"}}, []),
        (LEAST | {"DomainName": {"Ref": "Name"}}, []),
        (LEAST | {"DomainName": "not a name"}, []),
        # In one branch of a condition.
        (
            LEAST | {"DomainName": {"Fn::If": ["IsTest", "customers", "amazon-connect-customers"]}},
            [(["DomainName", "Fn::If", 1], CONNECT_ADVICE)],
        ),
        # A reference that the function may get as it is, but not one that CloudFormation itself needs.
        (
            {
                "ServiceToken": "{{resolve:ssm:token}}",
                "DomainName": "{{resolve:ssm:name}}",
                "DefaultExpirationDays": 366,
                "Tags": {"team": "{{resolve:ssm:team}}"},
            },
            [(["DomainName"], f"DomainName: {DYNAMIC_ADVICE}"), (["Tags", "team"], f"Tags.team: {DYNAMIC_ADVICE}")],
        ),
        ("{{resolve:ssm:everything}}", [([], f"Properties: {DYNAMIC_ADVICE}")]),
    ],
)
def test_advice_is_given_only_on_what_the_template_says(properties: Any, expected: Any) -> None:
    assert problems_of(properties, DomainAdvice) == expected


def test_advice_is_informational_and_given_only_when_asked_for(template_files: dict[str, Path], tmp_path: Path) -> None:
    program, path = Path(sys.executable).with_name("cfn-lint"), template_files["a template for SAM"]
    asked, not_asked = (
        run_cfn_lint(program, [path], tmp_path, ROOT / "tools/lint/rules", *more)
        for more in (["--include-checks", "I"], [])
    )
    (match,) = (match for match in asked if match["Rule"]["Id"] == ADVICE)
    assert (match["Level"], match["Message"]) == ("Informational", CONNECT_ADVICE)
    assert "DomainName" in path.read_text().splitlines()[match["Location"]["Start"]["LineNumber"] - 1]
    assert not [match for match in not_asked if match["Rule"]["Id"] == ADVICE]


@given(domains(), st.data(), st.booleans())
@settings(max_examples=50)
def test_nothing_is_reported_for_a_valid_template(request: Any, data: st.DataObject, native_tags: bool) -> None:
    if native_tags and "Tags" in request:
        request = {**request, "Tags": as_native_tags(request["Tags"])}
    properties = data.draw(as_cloudformation_writes(request))
    assert problems_of(properties) == []
    # The same with a value that is known only at the deployment in place of any of its values.
    path = data.draw(st.sampled_from([*places(properties)]))
    assert problems_of(replaced(properties, path, lambda _: data.draw(UNKNOWN))) == []


@given(mistakes().filter(lambda mistake: not has_functions(mistake.properties)), st.data())
def test_a_mistake_is_reported_as_the_function_would(mistake: Mistake, data: st.DataObject) -> None:
    try:
        translate(as_text_all(mistake.properties), SHAPE, REPORTED)
        expected = []  # no mistake once it is written as text: a number where the API wants text
    except InvalidPropertiesError as error:
        expected = [(list(problem.path), str(problem)) for problem in error.problems]
    found = problems_of(mistake.properties)
    hint = " (YAML takes it for a number; write it in quotes)"
    assert [(path, text.removesuffix(hint)) for path, text in found] == expected
    # The same in either branch of a condition.
    path = data.draw(st.sampled_from([*places(mistake.properties)]))
    branches = data.draw(st.sampled_from([(True, True), (True, False), (False, True)]))
    within = replaced(
        mistake.properties,
        path,
        lambda value: {"Fn::If": ["IsTest", *(value if is_there else {"Ref": "X"} for is_there in branches)]},
    )
    assert {text for _, text in problems_of(within)} == {text for _, text in found}


odd_nodes = st.recursive(
    json_values | UNKNOWN | st.dates() | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["Ref", "Fn::If", "Fn::ForEach::X", "Key", "Enabled", "Tags", "", 1]), inner)
        | st.builds(lambda *branches: {"Fn::If": ["IsTest", *branches]}, inner, inner)
    ),
    max_leaves=10,
)


@given(odd_nodes | st.dictionaries(st.sampled_from([*SHAPE.members]), odd_nodes), odd_nodes)
def test_no_template_makes_the_rule_raise(properties: Any, condition: Any) -> None:
    problems_of(properties)
    problems_of(properties, Condition=condition)
    problems_of(properties, DomainAdvice)


@given(mistakes())
@settings(max_examples=30)
def test_each_match_has_a_place_in_the_file(mistake: Mistake) -> None:
    text = json.dumps(
        {"Resources": {"Domain": {"Type": "Custom::CustomerProfilesDomain", "Properties": mistake.properties}}},
        indent=1,
    )
    template, errors = decode_str(text)
    if template is None or errors:
        return  # nothing that cfn-lint can read
    rule = DomainProperties()
    for match in rule.matchall("template.json", Template("template.json", template)):
        assert 4 <= match.linenumber <= len(text.splitlines())


@pytest.mark.parametrize(
    ("scalar", "text"),
    [
        (True, "true"),
        (False, "false"),
        (30, "30"),
        (0.5, "0.5"),
        (datetime.date(2024, 1, 31), "2024-01-31"),
        ("yes", "yes"),
        (None, None),
    ],
)
def test_a_scalar_is_handed_over_as_cloudformation_would(scalar: Any, text: Any) -> None:
    assert as_text(scalar) == text
