"""GLSL of the head renderer: a colour is a smooth function of position on the neutral head and z.

``VERTEX`` and ``FRAGMENT`` draw heads for :mod:`.renderer`: pictures or, with
``GBUFFER`` defined, per-pixel truth. ``heads/person/appearance.py`` computes a head's
uniforms. One key light, fixed in the world, and a hemisphere of fill light give the shading.
Colours do not depend on the camera: a highlight lies where a viewer in front would see it.
"""

from __future__ import annotations

VERTEX = """
#version 330
uniform mat4 projection;
uniform float volume_radius;
in vec3 position;
in vec3 normal;
in vec2 hair;          // margin, root margin
in vec3 rest;
in float material;
in vec4 field_a;       // skin: lip, mouth, brow, brow_t; sclera: direction from the eye's centre
in vec4 field_b;       // upper_lid, lid, beard, ear
in vec4 field_c;       // cheek, nose, socket, side of the eye
in vec3 sky_a;         // visibility as spherical harmonics of order 2
in vec3 sky_b;
in vec3 sky_c;
out vec3 v_position, v_normal, v_rest, v_sky_a, v_sky_b, v_sky_c;
out vec2 v_hair;
out vec4 v_a, v_b, v_c;
flat out int v_material;
void main() {
    gl_Position = projection * vec4(position, 1.0);
    v_position = position; v_normal = normal; v_rest = rest; v_hair = hair;
    v_a = field_a; v_b = field_b; v_c = field_c;
    v_sky_a = sky_a; v_sky_b = sky_b; v_sky_c = sky_c;
    v_material = int(material + 0.5);
    // Clipping instead of discarding keeps the early depth test.
    gl_ClipDistance[0] = volume_radius - position.y;
    gl_ClipDistance[1] = volume_radius + position.y;
    gl_ClipDistance[2] = volume_radius - abs(position.x);
    gl_ClipDistance[3] = volume_radius - abs(position.z);
    gl_ClipDistance[4] = v_material == 5 ? hair.x + 0.9 : 1.0;
}
"""

FRAGMENT = """
#version 330
in vec3 v_position, v_normal, v_rest, v_sky_a, v_sky_b, v_sky_c;
in vec2 v_hair;
in vec4 v_a, v_b, v_c;
flat in int v_material;
layout(location = 0) out vec4 out_color;
#ifdef GBUFFER
layout(location = 1) out vec4 out_position;   // xyz, planar depth
layout(location = 2) out vec4 out_normal;     // xyz, material + 1
layout(location = 3) out vec4 out_rest;       // xyz on the neutral head, cm
layout(location = 4) out vec4 out_strands;    // three waves of the hair, -1 to 1; 0 off the scalp
uniform vec3 camera_position, camera_forward;
#endif

uniform vec3 key_direction, key_color, glint, sky_color, ground_color, fill_color;
uniform vec3 skin, flush_color, lip_color, iris_color, hair_color, hair_tip, brow_color;
uniform float flush, beard, brow_thickness, waviness, parting, skin_light;
uniform vec4 upper_lid[2], lower_lid[2];      // lid heights (rad) as cubics of the yaw
uniform vec2 gaze[2];

const int FACE = 0, BACK_HEAD = 1, GUMS = 2, TEETH = 3, SCLERA = 4, HAIR = 5;

float visibility(vec3 d) {
    float y[9];
    y[0] = 0.282095;
    y[1] = 0.488603 * d.y; y[2] = 0.488603 * d.z; y[3] = 0.488603 * d.x;
    y[4] = 1.092548 * d.x * d.y; y[5] = 1.092548 * d.y * d.z;
    y[6] = 0.315392 * (3.0 * d.z * d.z - 1.0);
    y[7] = 1.092548 * d.x * d.z; y[8] = 0.546274 * (d.x * d.x - d.y * d.y);
    float v = v_sky_a.x * y[0] + v_sky_a.y * y[1] + v_sky_a.z * y[2]
            + v_sky_b.x * y[3] + v_sky_b.y * y[4] + v_sky_b.z * y[5]
            + v_sky_c.x * y[6] + v_sky_c.y * y[7] + v_sky_c.z * y[8];
    return clamp(v, 0.0, 1.0);
}

vec3 wrapped(float d, vec3 wrap) {
    vec3 w = clamp((d + wrap) / (1.0 + wrap), 0.0, 1.0);
    return w * sqrt(w);
}

vec3 ambient(vec3 n) {
    float up = 0.5 + 0.5 * n.y;
    return mix(ground_color, sky_color, up * up * (3.0 - 2.0 * up))
         + fill_color * max(0.0, dot(n, normalize(vec3(-key_direction.x, 0.15, 0.55))));
}

vec3 shade_skin(vec3 albedo, vec3 n, float gloss, float occlusion) {
    float open = clamp(v_sky_a.x * 0.282095, 0.0, 1.0);
    float lit = mix(0.25, 1.0, visibility(key_direction)) * occlusion;
    vec3 wrap = vec3(0.30, 0.20, 0.155) * mix(1.0, 0.7, 1.0 - skin_light);
    vec3 diffuse = wrapped(dot(n, key_direction), wrap);
    float ao = mix(0.35, 1.0, open * open) * occlusion;
    // Multiple scattering keeps occluded skin warm instead of grey.
    vec3 warm_ao = pow(vec3(ao), vec3(0.85, 1.03, 1.08));
    vec3 color = albedo * (key_color * diffuse * lit + ambient(n) * warm_ao);
    vec3 viewer = normalize(vec3(0.35 * n.x, 0.0, 1.0));
    vec3 h = normalize(key_direction + viewer);
    float facing = max(dot(n, h), 0.0);
    float sheen = 0.10 * pow(facing, 14.0) + 0.10 * pow(facing, 48.0);
    vec3 tint = mix(vec3(1.0), albedo / max(albedo.r, 1e-3), 0.5) * mix(0.55, 1.0, skin_light);
    return color + key_color * tint * sheen * gloss * lit * open;
}

vec3 strands = vec3(0.0);

float clump(float angle, float along, float fade) {
    float sway = waviness * 0.09 * sin(along * 0.95 + 1.7 * sin(2.0 * angle));
    float a = angle + sway;
    strands = fade * vec3(sin(13.0 * a + 1.3 * sin(3.0 * a) + 0.10 * along),
                          sin(29.0 * a + 1.9 * sin(5.0 * a + 0.3) - 0.16 * along + 1.0),
                          sin(47.0 * a + 2.2 * sin(7.0 * a + 1.1) + 0.22 * along + 2.0));
    return dot(strands, vec3(0.50, 0.36, 0.26));
}

vec3 shade_hair(vec3 n) {
    // Strands run away from the whorl, swept to the side of the parting at the front.
    vec3 whorl = normalize(vec3(0.25 * parting, 0.92, -0.38));
    vec3 q = v_rest - vec3(0.0, 4.0, 0.0);
    q.y = max(q.y, 0.0);
    vec3 d = normalize(q);
    vec3 side = normalize(cross(whorl, vec3(0.0, 0.0, 1.0)));
    vec3 ahead = cross(side, whorl);
    float polar = acos(clamp(dot(d, whorl), -1.0, 1.0));
    float along = polar * 9.0 + max(0.0, 4.0 - v_rest.y);
    float angle = atan(dot(d, side), dot(d, ahead));
    float front = smoothstep(0.2, 1.0, dot(d, ahead));
    angle += parting * 0.45 * front * sin(min(polar, 1.5));
    float fade = smoothstep(0.15, 0.6, polar);
    float strand = clump(angle, along, fade);
    float wave = waviness * 0.5 * sin(along * 1.3 + 2.0 * sin(3.0 * angle)) * fade;
    vec3 flow = normalize(d * dot(d, whorl) - whorl + 1e-4);
    flow = normalize(flow - n * dot(flow, n) + vec3(0.0, -0.05, 0.0));
    float hanging = 1.0 - smoothstep(2.0, 4.0, v_rest.y);
    flow = normalize(mix(flow, vec3(0.0, -1.0, 0.0), hanging));

    float root = smoothstep(0.0, 2.2, v_hair.x);
    vec3 albedo = mix(hair_color, hair_tip, clamp(0.42 + 0.34 * strand + 0.16 * wave, 0.0, 1.0));
    albedo *= 0.80 + 0.20 * root;
    float groove = 1.0 - 0.30 * smoothstep(0.0, -0.8, strand);

    vec3 across = normalize(cross(flow, n));
    vec3 bent = normalize(n + across * 0.22 * strand + flow * 0.25 * wave);
    float lit = 0.5 + 0.5 * dot(bent, key_direction);
    lit = lit * lit;
    float low = smoothstep(-9.0, 5.0, v_rest.y);
    float ao = mix(0.55, 1.0, low) * mix(0.7, 1.0, root) * groove;
    vec3 color = albedo * (key_color * lit * 0.9 + ambient(bent) * 0.9) * ao;

    vec3 viewer = normalize(vec3(n.x, 0.25, n.z + 0.02));
    vec3 h = normalize(key_direction + viewer);
    float t = dot(flow + 0.10 * n + 0.05 * strand * n, h);
    float sheen = pow(max(1.0 - t * t, 0.0), 22.0) * smoothstep(-0.2, 0.6, dot(n, key_direction));
    float brightest = max(max(hair_tip.r, max(hair_tip.g, hair_tip.b)), 1e-3);
    vec3 tint = mix(vec3(1.0), hair_tip / brightest, 0.55);
    color += key_color * tint * sheen * (0.055 + 0.16 * hair_tip) * ao * (0.75 + 0.35 * strand);
    return color;
}

vec3 shade_eye(vec3 n) {
    int side = v_c.w > 0.0 ? 0 : 1;
    vec3 d = normalize(v_a.xyz);
    vec3 axis = normalize(vec3(gaze[side], 1.0));
    float from_axis = degrees(acos(clamp(dot(d, axis), -1.0, 1.0)));
    float yaw = atan(d.x, d.z), pitch = asin(clamp(d.y, -1.0, 1.0));
    vec4 powers = vec4(1.0, yaw, yaw * yaw, yaw * yaw * yaw);
    float upper = dot(upper_lid[side], powers), lower = dot(lower_lid[side], powers);
    float below_upper = upper - pitch, above_lower = pitch - lower;

    vec3 white = vec3(0.70, 0.66, 0.63);
    float corner = smoothstep(0.42, 0.80, abs(yaw));
    white = mix(white, vec3(0.62, 0.38, 0.33), 0.55 * corner);
    float inner = smoothstep(0.62, 0.85, -yaw * (side == 0 ? 1.0 : -1.0));
    white = mix(white, vec3(0.58, 0.27, 0.23), inner);

    const float IRIS = 26.5, PUPIL = 10.0;
    float r = from_axis / IRIS;
    float angle = atan(d.y - axis.y, d.x - axis.x);
    float fibre = 0.5 + 0.5 * sin(11.0 * angle + 1.3 * sin(4.0 * angle));
    vec3 iris = iris_color * (0.70 + 0.30 * fibre * smoothstep(0.4, 0.7, r));
    iris *= mix(1.35, 0.85, smoothstep(0.40, 0.85, r));
    iris = mix(iris, iris_color * 0.22, smoothstep(0.78, 1.0, r));
    iris *= 1.0 + 0.45 * smoothstep(0.1, -0.5, d.y - axis.y);      // light gathers below
    iris = mix(vec3(0.012), iris, smoothstep(PUPIL - 1.2, PUPIL + 1.8, from_axis));
    vec3 albedo = mix(iris, white, smoothstep(0.93, 1.07, r));

    float shadow = mix(0.30, 1.0, smoothstep(-0.02, 0.34, below_upper));
    shadow *= mix(0.62, 1.0, smoothstep(-0.02, 0.16, above_lower));
    vec3 en = normalize(mix(d, vec3(0.0, 0.0, 1.0), 0.35));
    vec3 light = key_color * wrapped(dot(en, key_direction), vec3(0.45)) * 0.85 + ambient(en) * 0.8;
    vec3 color = albedo * light * shadow;
    float lash = smoothstep(0.075, 0.015, below_upper);
    color = mix(color, vec3(0.02, 0.014, 0.012), 0.85 * lash);
    vec3 rim = skin * vec3(0.75, 0.5, 0.45) * light;
    color = mix(color, rim, 0.6 * smoothstep(0.05, 0.0, above_lower));

    float off = degrees(acos(clamp(dot(d, normalize(glint + vec3(axis.xy, 0.0))), -1.0, 1.0)));
    float catchlight = smoothstep(5.4, 2.6, off) * smoothstep(0.0, 0.08, below_upper);
    return color + key_color * 0.62 * catchlight;
}

vec3 shade_skin_parts(vec3 n) {
    float lip = v_a.x, mouth = v_a.y, brow = v_a.z, brow_t = v_a.w;
    float upper_lid = v_b.x, lid = v_b.y, beard_zone = v_b.z, ear = v_b.w;
    vec3 p = v_rest;
    vec3 albedo = skin;
    // Slow variation of hue, a sallower forehead, a redder middle.
    float mottle = 0.5 * sin(0.9 * p.x + 1.3 * sin(0.7 * p.y)) * sin(1.1 * p.y + 0.6 * p.z)
                 + 0.5 * sin(1.9 * p.x * 0.8 + 2.0) * sin(1.7 * p.y + 0.9 * p.x);
    albedo *= 1.0 + 0.035 * mottle * vec3(0.4, 1.0, 1.0);
    albedo = mix(albedo, albedo * vec3(1.02, 1.0, 0.90), 0.3 * smoothstep(6.0, 9.0, p.y));
    float chin = smoothstep(-5.5, -7.0, p.y) * smoothstep(9.0, 10.5, p.z);
    float blush = clamp(0.85 * v_c.x + 0.75 * v_c.y + 0.7 * ear + 0.35 * chin, 0.0, 1.0);
    albedo = mix(albedo, albedo * flush_color, clamp(blush * flush, 0.0, 1.0));
    albedo = mix(albedo, albedo * vec3(0.80, 0.70, 0.72), 0.55 * v_c.z);
    float lids = smoothstep(0.65, 0.05, lid);
    albedo = mix(albedo, albedo * vec3(0.82, 0.66, 0.62), 0.55 * lids);

    float stubble = smoothstep(-0.45, 1.5, beard_zone) * smoothstep(0.10, -0.25, lip);
    float hairs = clamp(beard, 0.0, 1.0) * stubble;
    float grain = 0.5 + 0.5 * sin(5.5 * p.x + 1.5 * sin(2.1 * p.y)) * sin(4.7 * p.y + 1.2 * p.z);
    vec3 beard_albedo = mix(0.5 * (brow_color + hair_color), hair_tip, 0.05 + 0.2 * grain);
    float cover = hairs * (0.35 + 0.60 * beard);
    albedo = mix(albedo, beard_albedo, clamp(cover, 0.0, 0.92));

    float lips = smoothstep(-0.05, 0.10, lip);
    vec3 lip_albedo = lip_color * (0.92 + 0.16 * smoothstep(-2.9, -4.2, p.y));
    lip_albedo *= mix(0.72, 1.0, smoothstep(0.0, 0.16, abs(p.y + 3.36 + 0.03 * p.x * p.x)));
    albedo = mix(albedo, lip_albedo, lips);
    albedo = mix(albedo, vec3(0.10, 0.022, 0.02), mouth);

    float fuzz = 0.12 * sin(16.0 * brow_t + 1.2 * p.y);
    float hairy = smoothstep(brow_thickness + 0.28, brow_thickness - 0.25, brow + fuzz);
    hairy *= mix(0.55, 0.92, smoothstep(0.0, 0.30, brow_t)) * smoothstep(1.0, 0.93, brow_t);
    albedo = mix(albedo, brow_color, clamp(hairy, 0.0, 1.0));

    float scalp = smoothstep(-0.35, 0.75, v_hair.y) * (1.0 - ear);

    float lash = smoothstep(0.15, 0.04, upper_lid) * step(8.0, p.z);
    albedo = mix(albedo, vec3(0.022, 0.015, 0.013), 0.80 * lash);
    float crease = smoothstep(0.16, 0.0, abs(upper_lid - 0.42)) * smoothstep(3.55, 4.0, p.y);
    albedo *= 1.0 - 0.28 * crease * step(8.0, p.z);

    float shaded = 1.0 - 0.42 * smoothstep(-1.3, 0.3, v_hair.x) * (1.0 - 0.6 * ear);
    shaded *= 1.0 - 0.85 * mouth;
    shaded *= gl_FrontFacing ? 1.0 : 0.35;
    float gloss = mix(1.0, 1.7, lips) * (1.0 - 0.7 * cover) * (1.0 - scalp)
                * (0.75 + 0.5 * smoothstep(2.5, 0.5, abs(p.x)));
    vec3 color = shade_skin(albedo, n, gloss, shaded);
    color = mix(color, shade_hair(n), 0.92 * scalp);
    strands *= scalp;
    return color;
}

void main() {
    vec3 n = normalize(v_normal);
    if (!gl_FrontFacing) n = -n;
    vec3 color;
    if (v_material == SCLERA) color = shade_eye(n);
    else if (v_material == HAIR) color = shade_hair(n);
    else if (v_material == TEETH || v_material == GUMS) {
        vec3 albedo = v_material == TEETH ? vec3(0.72, 0.68, 0.58) : vec3(0.42, 0.13, 0.12);
        float deep = smoothstep(6.5, 10.6, v_rest.z);
        vec3 soft = normalize(mix(n, vec3(0.0, 0.0, 1.0), 0.5));
        color = albedo * (key_color * wrapped(dot(soft, key_direction), vec3(0.3)) + ambient(soft))
              * mix(0.10, 0.62, deep);
    }
    else color = shade_skin_parts(n);
    // A gentle shoulder keeps bright skin from clipping.
    color = color / (1.0 + 0.12 * color);
    out_color = vec4(pow(clamp(color, 0.0, 1.0), vec3(1.0 / 2.2)), 1.0);
#ifndef GBUFFER
    if (v_material == SCLERA) out_color.a = 0.5;  // so that a picture tells eyeballs apart
#else
    out_color.a = gl_FrontFacing ? 1.0 : 0.6;
    out_position = vec4(v_position, dot(v_position - camera_position, camera_forward));
    out_normal = vec4(n, float(v_material) + 1.0);
    out_rest = vec4(v_rest, 1.0);
    out_strands = vec4(strands, 1.0);
#endif
}
"""

#: Depth along one direction, for :mod:`stylesdf_core.heads.rasterizer.visibility`.
DEPTH_VERTEX = """
#version 330
uniform mat4 projection;
in vec3 position;
out float depth;
void main() {
    gl_Position = projection * vec4(position, 1.0);
    depth = gl_Position.z;
}
"""

DEPTH_FRAGMENT = """
#version 330
in float depth;
out float out_depth;
void main() { out_depth = depth; }
"""
