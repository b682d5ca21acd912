{#
    Wilson's score interval of a share (Wilson, Journal of the American Statistical Association 1927).

    successes, n  numbers of people; the interval is null for n = 0 and where successes are not a share of n
    z             standard normal quantile; by default that of the policy's interval_level

    The ends are exactly 0 and 1 at no and at all successes, where rounding would leave a remainder.
#}
{% macro wilson_low(successes, n, z=none) %}{{ wilson_end(successes, n, z or default_z(), '-') }}{% endmacro %}

{% macro wilson_high(successes, n, z=none) %}{{ wilson_end(successes, n, z or default_z(), '+') }}{% endmacro %}

{% macro default_z() %}(select interval_z from {{ ref('int_growth_terms') }}){% endmacro %}

{% macro wilson_end(successes, n, z, sign) %}
    case
        when {{ successes }} = {{ '0' if sign == '-' else n }} and {{ n }} > 0 and {{ z }} > 0
            then {{ '0.0e0' if sign == '-' else '1.0e0' }}
        when {{ successes }} between 0 and {{ n }} and {{ n }} > 0
            then (
                {{ successes }} + power({{ z }}, 2) / 2
                {{ sign }} {{ z }} * sqrt(
                    cast({{ successes }} as double) * ({{ n }} - {{ successes }}) / nullif({{ n }}, 0) + power({{ z }}, 2) / 4
                )
            ) / ({{ n }} + power({{ z }}, 2))
    end
{% endmacro %}

{#
    Standard normal quantile that leaves (1 - level) / 2 on either side: 1.959964 for 0.95. Accurate to 1e-15 for levels up to 1 - 1e-10.
    Wichura, algorithm AS 241 (PPND16), Applied Statistics 1988; its third region, beyond that level, is left out and gives null.
#}
{% macro two_sided_z(level) %}
    {%- set middle = '(0.180625e0 - power(' ~ level ~ ' / 2, 2))' -%}
    {%- set tail = '(sqrt(-ln(greatest((1 - ' ~ level ~ ') / 2, 1e-300))) - 1.6e0)' -%}
    case
        when {{ level }} is null or {{ level }} <= 0 or {{ level }} > 1 - 1e-10 then null
        when {{ level }} <= 0.85
            then {{ level }} / 2
                * {{ polynomial(middle, [
                    '3.3871328727963666080e0', '1.3314166789178437745e2', '1.9715909503065514427e3', '1.3731693765509461125e4',
                    '4.5921953931549871457e4', '6.7265770927008700853e4', '3.3430575583588128105e4', '2.5090809287301226727e3'
                ]) }}
                / {{ polynomial(middle, [
                    '1.0e0', '4.2313330701600911252e1', '6.8718700749205790830e2', '5.3941960214247511077e3',
                    '2.1213794301586595867e4', '3.9307895800092710610e4', '2.8729085735721942674e4', '5.2264952788528545610e3'
                ]) }}
        else
            {{ polynomial(tail, [
                '1.42343711074968357734e0', '4.63033784615654529590e0', '5.76949722146069140550e0', '3.64784832476320460504e0',
                '1.27045825245236838258e0', '2.41780725177450611770e-1', '2.27238449892691845833e-2', '7.74545014278341407640e-4'
            ]) }}
            / {{ polynomial(tail, [
                '1.0e0', '2.05319162663775882187e0', '1.67638483018380384940e0', '6.89767334985100004550e-1',
                '1.48103976427480074590e-1', '1.51986665636164571966e-2', '5.47593808499534494600e-4', '1.05075007164441684324e-9'
            ]) }}
    end
{% endmacro %}

{# Coefficients from the constant upwards, by Horner's rule. #}
{% macro polynomial(x, coefficients) -%}
    {%- for coefficient in coefficients -%}{{ '(' }}{{ coefficient }}{{ ' + ' ~ x ~ ' * ' if not loop.last }}{%- endfor -%}
    {%- for coefficient in coefficients -%}){%- endfor -%}
{%- endmacro %}
